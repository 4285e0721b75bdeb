import sys
import _collections_abc
import types
from typing import Generic, TypeVar

from capsend_traits.marks import Never, ProcessSend, Serializable

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
Start = TypeVar("Start")
Stop = TypeVar("Stop")
Step = TypeVar("Step")

class bool(ProcessSend):
    """immutable"""

class int(ProcessSend):
    """immutable"""

class float(ProcessSend):
    """immutable"""

class complex(ProcessSend):
    """immutable"""

class str(ProcessSend):
    """immutable"""

class bytes(ProcessSend):
    """immutable"""

class range(ProcessSend):
    """immutable"""

class slice(ProcessSend, Generic[Start, Stop, Step]):
    """immutable, with whatever bounds it has"""

class tuple(ProcessSend, Generic[T]):
    """immutable, with whatever elements it has"""

class frozenset(ProcessSend, Generic[T]):
    """immutable, with whatever elements it has"""

class list(Serializable, Generic[T]):
    """mutable: a captured list would silently become a copy; pass it as an argument, or capture tuple(...)"""

class dict(Serializable, Generic[K, V]):
    """mutable: a captured dict would silently become a copy; pass it as an argument, or capture tuple(d.items())"""

class set(Serializable, Generic[T]):
    """mutable: a captured set would silently become a copy; pass it as an argument, or capture frozenset(...)"""

class bytearray(Serializable):
    """mutable: a captured bytearray would silently become a copy; pass it as an argument, or capture bytes(...)"""

class memoryview(Serializable):
    """mutable: a captured view would silently show a copy; pass it as an argument, or capture bytes(view)"""

class BaseException(Never):
    """an exception holds its traceback, and with it the frames and variables of this process; capture type(e).__name__ and str(e)"""

class enumerate(Never):
    """an iterator is a position that moves, and a copy would move on its own; call enumerate(...) inside the process"""

class filter(Never):
    """an iterator is a position that moves, and a copy would move on its own; call filter(...) inside the process, or capture tuple(...) of it"""

class map(Never):
    """an iterator is a position that moves, and a copy would move on its own; call map(...) inside the process, or capture tuple(...) of it"""

class reversed(Never):
    """an iterator is a position that moves, and a copy would move on its own; call reversed(...) inside the process"""

class zip(Never):
    """an iterator is a position that moves, and a copy would move on its own; call zip(...) inside the process, or capture tuple(...) of it"""

class property(Never):
    """a property works only as an attribute of its class; capture the class, or the function p.fget"""

class staticmethod(Never):
    """a staticmethod object works only as an attribute of its class; capture the function it wraps, m.__func__"""

class classmethod(Never):
    """a classmethod object works only as an attribute of its class; capture the class and call the method inside the process"""

class super(Never):
    """a super object is bound to one object of this process; call super() inside the method"""

class list_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the list as an argument, or capture tuple(...) of the remaining items"""

class list_reverseiterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the list as an argument, or capture tuple(...) of the remaining items"""

class tuple_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture the tuple, and iterate inside the process"""

class str_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture the str, and iterate inside the process"""

class str_ascii_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture the str, and iterate inside the process"""

class bytes_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture the bytes, and iterate inside the process"""

class bytearray_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the bytearray as an argument, or capture bytes(...) of the remaining items"""

class range_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture the range, and iterate inside the process"""

class longrange_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture the range, and iterate inside the process"""

class set_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the set as an argument, or capture frozenset(...) of the remaining items"""

class dict_keyiterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the dict as an argument, or capture tuple(...) of the remaining items"""

class dict_valueiterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the dict as an argument, or capture tuple(...) of the remaining items"""

class dict_itemiterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the dict as an argument, or capture tuple(...) of the remaining items"""

class dict_reversekeyiterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the dict as an argument, or capture tuple(...) of the remaining items"""

class dict_reversevalueiterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the dict as an argument, or capture tuple(...) of the remaining items"""

class dict_reverseitemiterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the dict as an argument, or capture tuple(...) of the remaining items"""

class memory_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture bytes(view), and iterate inside the process"""

class generic_alias_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture the alias, and iterate inside the process"""

class callable_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; call iter(function, sentinel) inside the process"""

class iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(...) of what is left, or iterate inside the process"""

class odict_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the OrderedDict as an argument, or capture tuple(...) of the remaining items"""

class odict_keys(Never, hidden=True):
    """a view shows a dict of this process; pass the dict as an argument, or capture tuple(view)"""

class odict_values(Never, hidden=True):
    """a view shows a dict of this process; pass the dict as an argument, or capture tuple(view)"""

class odict_items(Never, hidden=True):
    """a view shows a dict of this process; pass the dict as an argument, or capture tuple(view)"""

class coroutine_wrapper(Never, hidden=True):
    """a coroutine is a suspended frame of this process; send the async function and its arguments"""

class anext_awaitable(Never, hidden=True):
    """it waits for an iterator of this process; call anext(...) inside the process"""

class async_generator_asend(Never, hidden=True):
    """it waits for a generator of this process; send the async generator function and its arguments"""

class async_generator_athrow(Never, hidden=True):
    """it waits for a generator of this process; send the async generator function and its arguments"""

NoneType = types.NoneType
NotImplementedType = types.NotImplementedType
_NotImplementedType = types.NotImplementedType
ellipsis = types.EllipsisType
generator = types.GeneratorType
async_generator = types.AsyncGeneratorType
coroutine = types.CoroutineType
code = types.CodeType
cell = types.CellType
frame = types.FrameType
traceback = types.TracebackType
mappingproxy = types.MappingProxyType
getset_descriptor = types.GetSetDescriptorType
member_descriptor = types.MemberDescriptorType
method_descriptor = types.MethodDescriptorType
classmethod_descriptor = types.ClassMethodDescriptorType
wrapper_descriptor = types.WrapperDescriptorType
method_wrapper = types.MethodWrapperType
dict_keys = _collections_abc.dict_keys
dict_values = _collections_abc.dict_values
dict_items = _collections_abc.dict_items
PyCapsule = types.CapsuleType

class FrameLocalsProxy(Never, hidden=True):
    """it shows the variables of a running call of this process; pass dict(proxy) as an argument"""

class NoDefaultType(ProcessSend, hidden=True):
    """the one value NoDefault, rebuilt by name"""

if sys.version_info >= (3, 14):
    Union = types.UnionType
