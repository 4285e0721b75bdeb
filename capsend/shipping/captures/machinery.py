"""The class attributes that the guest makes itself, recognised by the kind of the class, their name, and their maker."""

from __future__ import annotations

import enum
import types
import typing
from typing import Any, Final

from capsend.codec.instances import class_attribute, defines
from capsend.source.locate import is_generated

_OF_CLASSES: Final = frozenset(
    {
        *("__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__"),
        *("__dict__", "__module__", "__orig_bases__", "__slotnames__", "__weakref__", "_abc_impl"),
    }
)
_OF_DATACLASSES: Final = frozenset({"__dataclass_fields__", "__dataclass_params__"})
_OF_ATTRS: Final = frozenset(
    {
        "__attrs_attrs__",
        "__attrs_own_setattr__",
        "__attrs_props__",
        "_attrs_cached_hash",
        "__getstate__",
        "__setstate__",
    }
)
_OF_ENUMS: Final = frozenset(
    {
        *(
            "__new__",
            "__new_member__",
            "_boundary_",
            "_flag_mask_",
            "_all_bits_",
            "_singles_mask_",
            "_hashable_values_",
            "_inverted_",
        ),
        *("_member_map_", "_member_names_", "_member_type_", "_new_member_", "_sort_order_", "_unhashable_values_"),
        *(
            "_unhashable_values_map_",
            "_use_args_",
            "_value2member_map_",
            "_value_repr_",
            "_add_alias_",
            "_add_value_alias_",
        ),
    }
)
_OF_NAMED_TUPLES: Final = frozenset({"__slots__", "_fields", "__orig_bases__", "__match_args__"})
OF_TYPED_DICTS: Final = frozenset({"__closed__", "__extra_items__"})
OF_PROTOCOLS: Final = frozenset(
    {
        "_is_protocol",
        "__protocol_attrs__",
        "__non_callable_proto_members__",
        "__callable_proto_members_only__",
        "__subclasshook__",
    }
)
_HOMES: Final = frozenset({"attr", "collections", "dataclasses", "enum", "reprlib", "typing", "typing_extensions"})
_PROTOCOL_HOMES: Final = frozenset({"typing", "typing_extensions"})
_OF_TYPE: Final = frozenset(
    {
        *(
            "__base__",
            "__bases__",
            "__basicsize__",
            "__class__",
            "__dict__",
            "__dictoffset__",
            "__flags__",
            "__itemsize__",
            "__mro__",
            "__name__",
        ),
        *("__text_signature__", "__weakrefoffset__"),
    }
)
"""The names that a class can be given only when it is made: an assignment later would go to its metaclass."""


def kind_of(cls: Any) -> str:
    """Return the way in which a class is made: the kind of its parts."""
    namespace = vars(cls)
    if typing.is_typeddict(cls):
        return "typed_dict"
    if issubclass(cls, enum.Enum):
        return "enum"
    if issubclass(cls, tuple) and "_fields" in namespace and tuple in cls.__bases__:
        return "named_tuple"
    if "__dataclass_fields__" in namespace:
        return "dataclass"
    if "__attrs_attrs__" in namespace:
        return "attrs"
    return "plain"


def is_given_when_made(cls: type, name: str, raw: object) -> bool:
    """Return whether a class can be given a name only when it is made: later, its metaclass would take the assignment."""
    if name in _OF_TYPE:
        return not isinstance(raw, types.GetSetDescriptorType)
    meta = type(cls)
    return meta is not type and name not in vars(type) and defines(type(class_attribute(meta, name)), "__set__")


def is_machinery(cls: type, kind: str, name: str, raw: Any) -> bool:
    """Return whether the guest's machinery makes an entry of a class itself."""
    if is_given_when_made(cls, name, raw):
        return True
    if name in _OF_CLASSES and not (name == "__orig_bases__" and kind == "typed_dict"):
        return True
    if isinstance(raw, types.MemberDescriptorType | types.GetSetDescriptorType):
        return raw.__objclass__ is cls and raw.__name__ == name  # a member of another class is a value like any other
    if kind == "dataclass" and name in _OF_DATACLASSES:
        return True
    if kind == "attrs" and name in _OF_ATTRS and not _is_users(raw):
        return True
    if kind == "enum" and (name in _OF_ENUMS or name in vars(cls).get("_member_map_", {})):
        return not (name in {"__new_member__", "_new_member_"} and isinstance(raw, types.FunctionType))
    if kind == "named_tuple" and name == "_field_defaults":
        return tuple(raw.values()) == (getattr(cls.__new__, "__defaults__", None) or ())
    if kind == "named_tuple" and (name in _OF_NAMED_TUPLES or type(raw).__name__ == "_tuplegetter"):
        return True
    if kind == "typed_dict" and name in OF_TYPED_DICTS:
        return True
    if "_is_protocol" in vars(cls) and (_is_of(raw, _PROTOCOL_HOMES) or (name in OF_PROTOCOLS and not _is_users(raw))):
        return True
    return kind != "plain" and name.startswith("_") and is_made(raw)


def _is_users(raw: Any) -> bool:
    function = getattr(raw, "__func__", raw)
    return isinstance(function, types.FunctionType) and not is_made(function)


def is_made(raw: Any) -> bool:
    """Return whether a function was not written by the user: generated, or a closure of the module that makes such classes."""
    function = getattr(raw, "__func__", raw)
    if not isinstance(function, types.FunctionType):
        return False
    if is_generated(function.__code__):
        return True
    return _is_of(function, _HOMES) and "<locals>" in function.__code__.co_qualname


def _is_of(raw: Any, homes: frozenset[str]) -> bool:
    """Return whether a function's code is in one of these packages."""
    function = getattr(raw, "__func__", raw)
    return (
        isinstance(function, types.FunctionType)
        and str(function.__globals__.get("__name__")).partition(".")[0] in homes
    )
