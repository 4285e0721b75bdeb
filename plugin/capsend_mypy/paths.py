"""The classes to which a path of attributes and calls leads, in the notation of `receivers.Receivers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy import nodes as n
from mypy.types import (
    CallableType,
    Instance,
    Overloaded,
    TupleType,
    Type,
    TypeType,
    TypeVarType,
    UnionType,
    get_proper_type,
)

from capsend_mypy import syntax

if TYPE_CHECKING:
    from capsend_mypy.modules import Modules
    from capsend_mypy.solving import Direct

OBJECT: Final = "builtins.object"
AWAITED: Final = frozenset({"typing.Coroutine", "typing.Awaitable"})


class Paths:
    """Follows paths through declarations.

    Args:
        modules: finds the object of a full name.
    """

    def __init__(self, modules: Modules) -> None:
        self.modules = modules

    def receiver(self, target: str, found: Direct) -> tuple[n.TypeInfo | None, bool]:
        """Return (the class to which a path leads, True if the path leads to the class itself and not to an instance)."""
        return next(iter(self.receivers(target, found)), (None, False))

    def receivers(self, target: str, found: Direct) -> list[tuple[n.TypeInfo, bool]]:
        """Return the classes to which a path may lead, each as for `receiver`: a declared union has several."""
        kind, _, path = target.partition(" ")
        start, *parts = path.split("/")
        reached = self._start(kind, start, found)
        for part in parts:
            reached = [step for info, _ in reached for step in self._step(info, part, found)]
        return reached

    def _start(self, kind: str, name: str, found: Direct) -> list[tuple[n.TypeInfo, bool]]:
        found.modules.add(self.modules.split(name)[0])
        node = self.modules.symbol(name)
        if kind in "CT":
            return [(node, kind == "T")] if isinstance(node, n.TypeInfo) else []
        if kind == "V" and isinstance(node, n.Var):
            if node.type is None:
                found.provisional = True
            return classes_of(node.type)
        declared = getattr(node.func if isinstance(node, n.Decorator) else node, "type", None)
        items = declared.items if isinstance(declared, CallableType | Overloaded) else []
        found_classes = [each for item in items for each in classes_of(item.ret_type)]
        return list(dict.fromkeys(found_classes))

    def _step(self, info: n.TypeInfo, part: str, found: Direct) -> list[tuple[n.TypeInfo, bool]]:
        # `get` goes along the MRO as Python does; it knows nothing of `__getattr__`.
        symbol = info.get(part.removesuffix("()"))
        if symbol is None:
            return []
        found.modules |= self.modules.modules_of(info)
        node, called = symbol.node, part.endswith("()")
        if isinstance(node, n.TypeInfo):
            return [(node, not called)]
        # In the table of the class, mypy has the type of a member's value, and gives the member its own where it is read.
        if isinstance(node, n.Var) and info.is_enum and node.name in info.enum_members:
            return [] if called else [(info, False)]
        if isinstance(node, n.Var) and node.type is None:
            found.provisional = True
        if isinstance(node, n.Var):
            return [] if called else classes_of(node.type)
        function = syntax.function_of(node)
        declared = function.type if function is not None else None
        # An overloaded method leads nowhere: which variant is meant, its arguments decide.
        if not isinstance(declared, CallableType) or not (called or (function is not None and function.is_property)):
            return []
        return classes_of(declared.ret_type, of_self=info)


def classes_of(declared: Type | None, *, of_self: n.TypeInfo | None = None) -> list[tuple[n.TypeInfo, bool]]:
    """Return (class, True if the value is the class itself) for the values of a type.

    Args:
        declared: the type.
        of_self: the receiver's class, for a method that returns `Self`.
    """
    proper = get_proper_type(declared) if declared is not None else None
    if isinstance(proper, UnionType):
        return [found for item in proper.items for found in classes_of(item, of_self=of_self)]
    # `Self` is a type variable in mypy, bound to the class in which it is written.
    if isinstance(proper, TypeVarType):
        bounds = classes_of(proper.upper_bound)
        is_self = of_self is not None and any(bound in of_self.mro and bound.fullname != OBJECT for bound, _ in bounds)
        return [(of_self, False)] if is_self and of_self is not None else bounds
    if isinstance(proper, TypeType):
        return [(info, True) for info, _ in classes_of(proper.item, of_self=of_self)]
    if isinstance(proper, TupleType):
        # The class of a named tuple, or `tuple`.
        proper = proper.partial_fallback
    if isinstance(proper, Instance) and proper.type.fullname in AWAITED and proper.args:
        return classes_of(proper.args[-1], of_self=of_self)
    return [(proper.type, False)] if isinstance(proper, Instance) else []
