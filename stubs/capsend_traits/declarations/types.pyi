import builtins

from capsend_traits.marks import Never, ProcessSend, Serializable

class NoneType(ProcessSend):
    """the one value None"""

class EllipsisType(ProcessSend):
    """the one value Ellipsis"""

class NotImplementedType(ProcessSend):
    """the one value NotImplemented"""

class GenericAlias(ProcessSend):
    """immutable: rebuilt from its origin and its arguments"""

class UnionType(ProcessSend):
    """immutable: rebuilt from its members"""

class MethodDescriptorType(ProcessSend):
    """rebuilt by name, as an attribute of its class"""

class ClassMethodDescriptorType(ProcessSend):
    """rebuilt by name, as an attribute of its class"""

class WrapperDescriptorType(ProcessSend):
    """rebuilt by name, as an attribute of its class"""

class SimpleNamespace(Serializable):
    """mutable: a captured namespace would silently become a copy; pass it as an argument, or capture its fields one by one"""

class MappingProxyType(Never):
    """a read-only view shows a dict of this process; pass dict(proxy) as an argument, capture tuple(proxy.items()), or make a global a plain dict, which is sent if no code changes it"""

class GeneratorType(Never):
    """a generator is a suspended frame of this process; send the generator function and its arguments"""

class AsyncGeneratorType(Never):
    """a generator is a suspended frame of this process; send the async generator function and its arguments"""

class CoroutineType(Never):
    """a coroutine is a suspended frame of this process; send the async function and its arguments"""

class CodeType(Never):
    """bytecode fits only the Python version that compiled it; capture the function, which goes by its source"""

class CellType(Never):
    """a cell is a variable that functions of this process share; capture cell.cell_contents"""

class FrameType(Never):
    """a frame is a running call of this process; capture frame.f_lineno and frame.f_code.co_name"""

class TracebackType(Never):
    """a traceback holds the frames of this process; capture traceback.format_tb(tb) as a tuple of str"""

class GetSetDescriptorType(Never):
    """a descriptor works only as an attribute of its class; capture the class, or use operator.attrgetter"""

class MemberDescriptorType(Never):
    """a descriptor works only as an attribute of its class; capture the class, or use operator.attrgetter"""

class MethodWrapperType(Never):
    """it is bound to one object of this process; capture the object, and call the method inside the process"""

class DynamicClassAttribute(Never):
    """a descriptor works only as an attribute of its class; capture the class"""

class _GeneratorWrapper(Never):
    """a generator is a suspended frame of this process; send the generator function and its arguments"""

class CapsuleType(Never, hidden=True):
    """a capsule holds an address in the memory of this process; create it inside the process"""

FrameLocalsProxyType = builtins.FrameLocalsProxy
