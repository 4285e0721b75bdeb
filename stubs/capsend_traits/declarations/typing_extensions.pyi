import sys
import typing

from capsend_traits.marks import ProcessSend

class Doc(ProcessSend):
    """a text in an annotation"""

_SpecialForm = typing._SpecialForm
TypeVar = typing.TypeVar
ParamSpec = typing.ParamSpec

if sys.version_info >= (3, 12):
    TypeAliasType = typing.TypeAliasType
    TypeVarTuple = typing.TypeVarTuple

else:
    class TypeAliasType(ProcessSend):
        """rebuilt from its name and its target"""

    TypeVarTuple = typing.TypeVarTuple
