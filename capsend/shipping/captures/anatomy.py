"""Classes taken apart: what the guest's own machinery needs to make one again, without running its statement.

The parts of a class are a dict. All kinds have `name`, `qualname`, `module` and `bases`; as needed they have `meta` (a metaclass of the user's),
`slots`, `orig` (`__orig_bases__`), `final` (fields that methods declare `Final`) and

* `dataclass`: `fields`, `[[name, kind, {option: reference or [literal]}]]`; `params`, of the decorator; `recorded`, what differs from them in
  `__dataclass_params__`;
* `attrs`: `fields`, `[[name, {option: reference or [literal]}]]`; `params`, of the decorator;
* `enum`: `members`, `[[name, value, [argument of the data type]]]`; `boundary` of flags;
* `named_tuple`: `fields` and `defaults`; `typed_dict`: `items` and `total`;
* protocols, which are plain: `names` and `noted`, the names of their members with and without a value.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.wording import Kind

from capsend.shipping.captures.context import Refused
from capsend.shipping.captures.origins import Origin
from capsend.source.locate import is_generated
from capsend.traits.fields import annotations_of, final_in_methods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.shipping.captures.context import Place
    from capsend.shipping.captures.protocols import Walk
    from capsend.shipping.program import Reference

_FIELD_KINDS: Final = {"_FIELD": "", "_FIELD_CLASSVAR": "C", "_FIELD_INITVAR": "I"}
_ORDER: Final = ("__lt__", "__le__", "__gt__", "__ge__")
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
_OF_TYPED_DICTS: Final = frozenset({"__closed__", "__extra_items__"})
_OF_PROTOCOLS: Final = frozenset(
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
_RECORDED: Final = (
    "init",
    "repr",
    "eq",
    "order",
    "unsafe_hash",
    "frozen",
    "match_args",
    "kw_only",
    "slots",
    "weakref_slot",
)


_OF_TYPE: Final = frozenset(
    {
        *(
            "__base__",
            "__bases__",
            "__basicsize__",
            "__dictoffset__",
            "__flags__",
            "__itemsize__",
            "__mro__",
            "__name__",
        ),
        *("__text_signature__", "__weakrefoffset__"),
    }
)
"""The names that a class can only be given when it is made: later, they are attributes of its metaclass."""


def kind_of(cls: Any) -> str:
    """Return how a class is made: the kind of its parts."""
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


def is_machinery(cls: type, kind: str, name: str, raw: Any) -> bool:
    """Tell whether an entry of a class is what the guest's machinery makes by itself."""
    if name in _OF_TYPE:
        return True
    if name in _OF_CLASSES and not (name == "__orig_bases__" and kind == "typed_dict"):
        return True
    if isinstance(raw, types.MemberDescriptorType | types.GetSetDescriptorType):
        return True
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
    if kind == "typed_dict" and name in _OF_TYPED_DICTS:
        return True
    if "_is_protocol" in vars(cls) and (_is_of(raw, _PROTOCOL_HOMES) or (name in _OF_PROTOCOLS and not _is_users(raw))):
        return True
    return kind != "plain" and name.startswith("_") and _is_made(raw)


def _is_users(raw: Any) -> bool:
    function = getattr(raw, "__func__", raw)
    return isinstance(function, types.FunctionType) and not _is_made(function)


def _is_made(raw: Any) -> bool:
    """Tell whether a function is none that the user wrote: generated, or a closure of the module that makes such classes."""
    function = getattr(raw, "__func__", raw)
    if not isinstance(function, types.FunctionType):
        return False
    if is_generated(function.__code__):
        return True
    return _is_of(function, _HOMES) and "<locals>" in function.__code__.co_qualname


def _is_of(raw: Any, homes: frozenset[str]) -> bool:
    """Tell whether a function is of one of these packages."""
    function = getattr(raw, "__func__", raw)
    return (
        isinstance(function, types.FunctionType)
        and str(function.__globals__.get("__name__")).partition(".")[0] in homes
    )


class Anatomy:
    """Takes the classes of one walk apart."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._kinds = {
            "dataclass": self._dataclass,
            "attrs": self._attrs,
            "enum": self._enum,
            "named_tuple": self._named_tuple,
            "typed_dict": self._typed_dict,
            "plain": lambda *_: {},
        }

    def parts(self, cls: Any, place: Place) -> dict[str, Any]:
        """Return the parts of a class.

        Raises:
            Refused: a base or its metaclass cannot go along.
        """
        kind = kind_of(cls)
        classes = self._walk.classes
        parts: dict[str, Any] = {
            "name": cls.__name__,
            "qualname": cls.__qualname__,
            "module": cls.__module__,
            "kind": kind,
        }
        parts["bases"] = [classes.entity(base) for base in cls.__bases__ if base is not object]
        if self._walk.context.origins.of(type(cls).__module__) is Origin.USER:
            parts["meta"] = classes.entity(type(cls))
        if "__slots__" in vars(cls) and kind != "named_tuple":
            parts["slots"] = list(_slots(cls))
        if "__orig_bases__" in vars(cls) and kind != "typed_dict":
            parts["orig"] = self._sent(cls.__orig_bases__, "__orig_bases__", place)
        early = {name: raw for name, raw in vars(cls).items() if name in _OF_TYPE}
        if early:
            parts["hooks"] = {name: classes.part(raw, place, f"{place.function}.{name}") for name, raw in early.items()}
        final = sorted(final_in_methods(cls))
        if final:
            parts["final"] = final
        if vars(cls).get("_is_protocol"):
            parts["names"] = [name for name in vars(cls) if not name.startswith("_abc_") and name not in _NOT_MEMBERS]
            parts["noted"] = list(annotations_of(cls))
        parts |= self._kinds[kind](cls, place)
        return parts

    def _sent(self, value: object, name: str, place: Place) -> Reference:
        """Send a value that the machinery needs, or a placeholder; what is used by name is judged there."""
        path, sent = f"{place.function}.{name}", None
        with self._walk.context.tolerating():
            sent = self._walk.values.send(value, Kind.CLASS_ATTRIBUTE, path, place, trait="Serializable")
        return self._walk.values.placeholder(path, value) if sent is None else sent

    def _dataclass(self, cls: Any, place: Place) -> dict[str, Any]:
        own = annotations_of(cls)
        params = cls.__dataclass_params__
        names = vars(cls)
        fields = []
        for field in cls.__dataclass_fields__.values():
            if field.name not in own:
                continue
            options: dict[str, Any] = {
                option: [getattr(field, option)] for option in ("init", "repr", "hash", "compare")
            }
            kind = _FIELD_KINDS[field._field_type.name]  # noqa: SLF001 - there is no public way to ask
            if kind != "C":
                options["kw_only"] = [field.kw_only is True]
            if field.default is not dataclasses.MISSING:
                options["default"] = self._sent(field.default, field.name, place)
            if field.default_factory is not dataclasses.MISSING:
                options["default_factory"] = self._sent(field.default_factory, field.name, place)
            if field.metadata:
                options["metadata"] = self._sent(dict(field.metadata), field.name, place)
            fields.append([field.name, kind, options])
        made = {name for name, raw in names.items() if _is_made(getattr(raw, "__wrapped__", raw))}
        if "__init__" in made:
            every = [field for field in cls.__dataclass_fields__.values() if field.init and not field.kw_only]
            _require_defaults(cls, [field.default for field in every if field.default is not dataclasses.MISSING])
        options = {
            "init": "__init__" in made,
            "repr": "__repr__" in made,
            "eq": "__eq__" in made or bool(params.order),
            "order": bool(params.order) and any(name in made for name in _ORDER),
            "unsafe_hash": bool(params.unsafe_hash) and "__hash__" in made,
            "frozen": bool(params.frozen),
            "match_args": "__match_args__" in names,
        }
        recorded = {
            name: getattr(params, name)
            for name in _RECORDED
            if hasattr(params, name) and options.get(name, False) != getattr(params, name)
        }
        extra = ["__post_init__"] if hasattr(cls, "__post_init__") else []
        return {"fields": fields, "params": options, "recorded": recorded, "names": extra}

    def _attrs(self, cls: Any, place: Place) -> dict[str, Any]:
        names = vars(cls)
        hooks = _setattr_hooks(cls)
        fields = []
        for attribute in cls.__attrs_attrs__:
            if attribute.inherited:
                continue
            options: dict[str, Any] = {
                option: [getattr(attribute, option)]
                for option in ("init", "repr", "eq", "order", "hash", "kw_only", "alias")
                if isinstance(getattr(attribute, option, None), bool | str | None)
            }
            for option in ("repr", "eq", "order", "eq_key", "order_key"):
                # A callable here says how, not whether.
                value = getattr(attribute, option, None)
                if callable(value):
                    options[option.removesuffix("_key")] = self._sent(value, attribute.name, place)
            for option in ("default", "validator", "converter"):
                value = getattr(attribute, option)
                if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # it is a class, whatever its stub says
                    options["factory"] = self._sent(value.factory, attribute.name, place)
                    options["takes_self"] = [value.takes_self]
                elif value is not attrs.NOTHING and (value is not None or option == "default"):
                    options[option] = self._sent(value, attribute.name, place)
            hook = hooks.get(attribute.name, attribute.on_setattr)
            if hook is not None:
                options["on_setattr"] = self._sent(hook, attribute.name, place)
            if attribute.metadata:
                options["metadata"] = self._sent(dict(attribute.metadata), attribute.name, place)
            fields.append([attribute.name, options])
        made = {name for name, raw in names.items() if _is_made(raw)}
        if "__init__" in made:
            every = [each for each in cls.__attrs_attrs__ if each.init and not each.kw_only]
            plain = [each.default for each in every if not isinstance(each.default, attrs.Factory)]  # type: ignore[arg-type]  # as above
            _require_defaults(cls, [default for default in plain if default is not attrs.NOTHING])
        frozen = getattr(names.get("__setattr__"), "__name__", "") == "_frozen_setattrs"
        params = {
            "init": "__init__" in made,
            "repr": "__repr__" in made,
            "eq": "__eq__" in made,
            "order": "__lt__" in made,
            "unsafe_hash": True if "__hash__" in made else None if names.get("__hash__", 0) is None else False,
            "frozen": frozen,
            "match_args": "__match_args__" in names,
            "collect_by_mro": True,
            "auto_exc": issubclass(cls, BaseException),
            "getstate_setstate": "__getstate__" in made,
        }
        extra = [name for name in ("__attrs_pre_init__", "__attrs_post_init__") if hasattr(cls, name)]
        hooked = {name: self._sent(names[name], name, place) for name in extra if name in names}
        return {"fields": fields, "params": params, **({"hooks": hooked} if hooked else {})}

    def _enum(self, cls: Any, place: Place) -> dict[str, Any]:
        members = []
        for name, member in cls.__members__.items():
            data = [self._sent(part, name, place) for part in _data_of(cls, member)]
            members.append([name, self._sent(member._value_, name, place), data])
        boundary = vars(cls).get("_boundary_")
        parts: dict[str, Any] = {"members": members}
        if boundary is not None:
            parts["boundary"] = boundary.value
        return parts

    def _named_tuple(self, cls: Any, place: Place) -> dict[str, Any]:
        values = cls.__new__.__defaults__ or ()
        names = cls._fields[len(cls._fields) - len(values) :]
        defaults = [self._sent(value, name, place) for name, value in zip(names, values, strict=True)]
        return {"fields": list(cls._fields), "defaults": defaults}

    def _typed_dict(self, cls: Any, place: Place) -> dict[str, Any]:
        items = {name: self._sent(value, name, place) for name, value in annotations_of(cls).items()}
        return {"items": items, "total": bool(getattr(cls, "__total__", True)), "bases": []}


_NOT_MEMBERS: Final = frozenset(
    {
        "__module__",
        "__qualname__",
        "__doc__",
        "__dict__",
        "__weakref__",
        "__annotations__",
        "__orig_bases__",
        "__parameters__",
        "__slots__",
    }
    | {"__init__", "__firstlineno__", "__static_attributes__", "__abstractmethods__", "__annotate__", "__type_params__"}
    | {"__annotate_func__", "__annotations_cache__", "_is_runtime_protocol", *_OF_PROTOCOLS}
)


def _slots(cls: type) -> Iterator[str]:
    """Yield what `__slots__` declared, as far as it shows; in no order that matters."""
    for name, raw in vars(cls).items():
        if isinstance(raw, types.MemberDescriptorType) or name in {"__dict__", "__weakref__"}:
            yield name


def _require_defaults(cls: Any, expected: list[object]) -> None:
    """See to it that a generated `__init__` has the defaults of the fields, from which the guest makes it again.

    Raises:
        Refused: they were replaced.
    """
    given = [default for default in cls.__init__.__defaults__ or () if not _is_sentinel(default)]
    if len(given) != len(expected) or any(one is not other for one, other in zip(given, expected, strict=True)):
        raise Refused("the defaults of its generated __init__ were replaced", "give the fields these defaults")


def _is_sentinel(default: object) -> bool:
    """Tell whether a default stands for a factory, or for no default."""
    return default is attrs.NOTHING or type(default).__name__ == "_HAS_DEFAULT_FACTORY_CLASS"


def _setattr_hooks(cls: Any) -> dict[str, Any]:
    """Return {field: hook} of a class whose `__setattr__` attrs made; only its closure knows the hooks that the class gave to all fields."""
    function = vars(cls).get("__setattr__")
    closure = getattr(function, "__closure__", None) or ()
    for free, cell in zip(getattr(getattr(function, "__code__", None), "co_freevars", ()), closure, strict=False):
        if free == "sa_attrs":
            return {name: hook for name, (_, hook) in cell.cell_contents.items()}
    return {}


_RAW: Final[dict[type, Any]] = {
    bytes: bytes.__bytes__,
    complex: complex.__complex__,
    float: float.__float__,
    int: int.__int__,
    str: str.__str__,
    tuple: lambda value: tuple(tuple.__iter__(value)),
}


def _data_of(cls: Any, member: Any) -> tuple[object, ...]:
    """Return the arguments from which the data type of an enum makes a member, past the user's `__new__`."""
    data: Any = cls._member_type_
    if data.__new__ is object.__new__:
        return ()
    for base, raw in _RAW.items():
        if issubclass(data, base):
            return (raw(member),)
    value = member._value_
    return value if isinstance(value, tuple) else (value,)
