"""The fields of a class, by mypy's nodes: the variables of a class body that its instances have, and those that can be reassigned."""

from __future__ import annotations

from mypy.nodes import Decorator, TypeInfo, Var
from mypy.types import CallableType, Instance, Type, get_proper_type


def is_sunder(name: str) -> bool:
    """Return whether a name, such as `_value_`, is reserved by enums."""
    return name.startswith("_") and name.endswith("_")


def is_cached_property(node: Decorator) -> bool:
    """Return whether a method is a `cached_property`, whose first result becomes a field of the instance."""
    # mypy treats `cached_property` as a property; the only difference is that it can be set.
    return node.func.is_property and node.var.is_settable_property


def as_field(node: Decorator) -> Var:
    """Return the field that a cached property makes in its instance."""
    # The type of the `Var` in a decorator is that of the property as mypy sees it; the function's own is the declared one.
    declared = get_proper_type(node.func.type) if node.func.type is not None else None
    field = Var(node.name, declared.ret_type if isinstance(declared, CallableType) else None)
    field.is_final = True  # only the property itself assigns it
    return field


def is_class_level(node: Var) -> bool:
    """Return whether a variable of a class body belongs to the class, not to its instances.

    This holds for `ClassVar`, for a plain `name = value`, and for `name: Final = value`.
    """
    if node.is_classvar:
        return True
    if not node.is_initialized_in_class:
        return False
    # `name: type = value` is a default of the instances; without a declared type it is an attribute of the class.
    return node.is_inferred or (node.is_final and node.has_explicit_value)


def is_default(node: Var) -> bool:
    """Return whether a variable of a plain class has its value in the class body.

    Instances read the class's value unless they assign one.
    """
    # `info` is false, not None, until mypy sets it.
    made = (node.info.metadata.get("dataclass") or node.info.metadata.get("attrs")) if node.info else None
    return node.is_initialized_in_class and node.has_explicit_value and not made and not node.info.is_named_tuple


def is_frozen(info: TypeInfo) -> bool:
    """Return whether instances of a class refuse assignment: a frozen dataclass, a frozen attrs class, a named tuple."""
    # Not promised: mypy's plugins for dataclasses and attrs write `frozen` into their metadata.
    return info.is_named_tuple or any(info.metadata.get(kind, {}).get("frozen") for kind in ("dataclass", "attrs"))


def frozen_fields(info: TypeInfo) -> set[str]:
    """Return the fields that a frozen class in the MRO protects from reassignment, inherited fields included."""
    # From the whole MRO: a subclass without the decorator has no metadata.
    kinds = [base.metadata.get(kind, {}) for base in info.mro for kind in ("dataclass", "attrs")]
    return {attribute["name"] for made in kinds if made.get("frozen") for attribute in made.get("attributes", ())}


def spelling(info: TypeInfo) -> str:
    """Return how a class was made; the cure for a mutable class depends on it."""
    return next((kind for kind in ("dataclass", "attrs") if kind in info.metadata), "")


def is_marker_field(declared: Type) -> bool:
    """Return whether a field of a dataclass only marks the following fields as keyword-only: instances do not have it."""
    proper = get_proper_type(declared)
    return isinstance(proper, Instance) and proper.type.fullname == "dataclasses.KW_ONLY"
