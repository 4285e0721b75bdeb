import sys
import builtins
import types

from capsend_traits.marks import Never, ProcessSend

class Iterator(Never):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(...) of what is left, or iterate inside the process"""

class AsyncIterator(Never):
    """an iterator is a position that moves, and a copy would move on its own; create it inside the process"""

class Generator(Never):
    """a generator is a suspended frame of this process; send the generator function and its arguments"""

class AsyncGenerator(Never):
    """a generator is a suspended frame of this process; send the async generator function and its arguments"""

class Coroutine(Never):
    """a coroutine is a suspended frame of this process; send the async function and its arguments"""

class MappingView(Never):
    """a view shows a mapping of this process; pass the mapping as an argument, or capture tuple(view)"""

class KeysView(Never):
    """a view shows a mapping of this process; pass the mapping as an argument, or capture tuple(view)"""

class ValuesView(Never):
    """a view shows a mapping of this process; pass the mapping as an argument, or capture tuple(view)"""

class ItemsView(Never):
    """a view shows a mapping of this process; pass the mapping as an argument, or capture tuple(view)"""

class IO(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class TextIO(Never):
    """an open file belongs to this process; send its path and open it inside the process, or write to sys.stdout, which each process has"""

class BinaryIO(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class TypeVar(ProcessSend):
    """immutable: rebuilt from its name, bound and constraints"""

class TypeVarTuple(ProcessSend):
    """immutable: rebuilt from its name"""

class ParamSpec(ProcessSend):
    """immutable: rebuilt from its name"""

class ParamSpecArgs(ProcessSend):
    """immutable: rebuilt from its ParamSpec"""

class ParamSpecKwargs(ProcessSend):
    """immutable: rebuilt from its ParamSpec"""

class NewType(ProcessSend):
    """rebuilt from its name and its supertype"""

class ForwardRef(ProcessSend):
    """rebuilt from the text of the annotation"""

class _SpecialForm(ProcessSend):
    """rebuilt by name"""

class _SpecialGenericAlias(ProcessSend):
    """rebuilt by name"""

class _CallableType(ProcessSend):
    """rebuilt by name"""

class _TupleType(ProcessSend):
    """rebuilt by name"""

class _GenericAlias(ProcessSend):
    """rebuilt from its origin and its arguments"""

class _CallableGenericAlias(ProcessSend):
    """rebuilt from its origin and its arguments"""

class _LiteralGenericAlias(ProcessSend):
    """rebuilt from its origin and its arguments"""

class _AnnotatedAlias(ProcessSend):
    """rebuilt from its origin and its arguments"""

class _ConcatenateGenericAlias(ProcessSend):
    """rebuilt from its origin and its arguments"""

class _UnpackGenericAlias(ProcessSend):
    """rebuilt from its origin and its arguments"""

if sys.version_info < (3, 14):
    class _UnionGenericAlias(ProcessSend):
        """rebuilt from its origin and its arguments"""

else:
    Union = types.UnionType

if sys.version_info >= (3, 12):
    class TypeAliasType(ProcessSend):
        """rebuilt from its name and its target"""

_NoDefaultType = builtins.NoDefaultType
