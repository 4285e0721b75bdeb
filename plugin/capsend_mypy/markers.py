"""Declarations that ask for a trait: type variables bound to a marker, and parameters of a marker's type.

It is used for every call and annotation of a program, so it imports little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy import nodes as n
from mypy.types import CallableType, Instance, Overloaded, Type, TypeVarType, UnionType, get_proper_type

from capsend_mypy import names

if TYPE_CHECKING:
    from capsend_traits import Trait


def marker_of(declared: Type) -> Trait | None:
    """Return the trait that a type asks for: if it is a marker, a protocol that extends one, or a union with such a type."""
    proper = get_proper_type(declared)
    if isinstance(proper, UnionType):
        return next((trait for trait in map(marker_of, proper.items) if trait is not None), None)
    # A concrete class that has the trait asks for nothing: mypy itself checks that its instances are passed.
    if not isinstance(proper, Instance) or not (proper.type.is_protocol or proper.type.is_abstract):
        return None
    return trait_of({base.fullname for base in proper.type.mro})


def trait_of(bases: set[str]) -> Trait | None:
    """Return the trait of a marker among the names of classes."""
    if bases.isdisjoint(names.MARKERS):
        return None
    from capsend_traits import Trait

    return Trait.PROCESS_SEND if names.PROCESS_SEND in bases else Trait.SERIALIZABLE


def bound_of(variable: object) -> Trait | None:
    """Return the trait to which a type variable is bound."""
    # A variable with constraints has `object` as its upper bound, and takes one of the constraints as its value.
    return marker_of(variable.upper_bound) if isinstance(variable, TypeVarType) and not variable.values else None


def asks(node: object) -> bool:
    """Return whether a function or class asks for a trait: by the bound of a type variable, or by a parameter."""
    if isinstance(node, n.TypeInfo):
        return any(bound_of(variable) for variable in node.defn.type_vars) or asks(constructor(node))
    return any(
        any(bound_of(variable) for variable in item.variables) or any(marker_of(formal) for formal in item.arg_types)
        for item in signatures(node)
    )


def signatures(node: object) -> list[CallableType]:
    """Return the declared signatures of a function, one for each overloaded variant."""
    # The type of a decorated function stands in its `Var` once its module was checked, and is None before.
    declared = getattr(node.var if isinstance(node, n.Decorator) else node, "type", None)
    if isinstance(declared, CallableType):
        return [declared]
    return declared.items if isinstance(declared, Overloaded) else []


def constructor(info: n.TypeInfo) -> n.SymbolNode | None:
    """Return the `__init__` of a class, if it is the user's."""
    symbol = info.get("__init__")
    node = symbol.node if symbol is not None else None
    return None if node is None or names.is_known(node.fullname) else node
