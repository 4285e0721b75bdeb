"""The fields of a class, by the nodes of mypy: which variables of a class body its instances have, and which of them can be assigned."""

from __future__ import annotations

from mypy.nodes import Decorator, TypeInfo, Var
from mypy.types import CallableType, Instance, Type, get_proper_type


def is_sunder(name: str) -> bool:
    """Return whether a name is one that enums keep for themselves, such as `_value_`."""
    return name.startswith("_") and name.endswith("_")


def is_cached_property(node: Decorator) -> bool:
    """Return whether a method is a `cached_property`: its first result is a field of its instance from then on."""
    # mypy takes `cached_property` for a property; only that it can be set tells the two apart.
    return node.func.is_property and node.var.is_settable_property


def as_field(node: Decorator) -> Var:
    """Return the field that a cached property leaves in its instance."""
    declared = get_proper_type(node.func.type) if node.func.type is not None else None
    field = Var(node.name, declared.ret_type if isinstance(declared, CallableType) else None)
    field.is_final = True  # nobody assigns it but the property itself
    return field


def is_class_level(node: Var) -> bool:
    """Return whether a variable of a class body belongs to the class, not to its instances.

    That is so for `ClassVar`, for a plain `name = value`, and for `name: Final = value`.
    """
    if node.is_classvar:
        return True
    if not node.is_initialized_in_class:
        return False
    # `name: type = value` is a default of its instances; without a declared type it is an attribute of the class.
    return node.is_inferred or (node.is_final and node.has_explicit_value)


def is_default(node: Var) -> bool:
    """Return whether a variable of a plain class has its value in the class body: its instances read the class's, unless they assign one."""
    # `info` is false, and not None, where mypy has not set it yet.
    made = (node.info.metadata.get("dataclass") or node.info.metadata.get("attrs")) if node.info else None
    return node.is_initialized_in_class and node.has_explicit_value and not made and not node.info.is_named_tuple


def is_frozen(info: TypeInfo) -> bool:
    """Return whether instances of a class refuse assignment: a frozen dataclass, a frozen attrs class, a named tuple."""
    return info.is_named_tuple or any(info.metadata.get(kind, {}).get("frozen") for kind in ("dataclass", "attrs"))


def frozen_fields(info: TypeInfo) -> set[str]:
    """Return the fields that some frozen class in the MRO keeps from being assigned, inherited fields included."""
    # Of the whole MRO: a subclass without the decorator has no metadata.
    kinds = [base.metadata.get(kind, {}) for base in info.mro for kind in ("dataclass", "attrs")]
    return {attribute["name"] for made in kinds if made.get("frozen") for attribute in made.get("attributes", ())}


def spelling(info: TypeInfo) -> str:
    """Return the way in which a class was made, on which the cure for a mutable one depends."""
    return next((kind for kind in ("dataclass", "attrs") if kind in info.metadata), "")


def is_marker_field(declared: Type) -> bool:
    """Return whether a field of a dataclass only marks the ones behind it as keywords: instances do not have it."""
    proper = get_proper_type(declared)
    return isinstance(proper, Instance) and proper.type.fullname == "dataclasses.KW_ONLY"
