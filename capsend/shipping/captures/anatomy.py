"""The anatomy of classes: the parts from which the guest makes a class again without running its statement.

The parts of a class are a dict. All kinds have `name`, `qualname`, `module` and `bases`; as needed they have `meta` (a
metaclass of the program), `slots`, `orig` (`__orig_bases__`), `final` (fields that methods declare `Final`) and

* `dataclass`: `fields`, `[[name, kind, {option: reference or [literal]}]]`; `params`, of the decorator; `recorded`, the
  entries of `__dataclass_params__` that differ from them;
* `attrs`: `fields`, `[[name, {option: reference or [literal]}]]`; `params`, of the decorator;
* `enum`: `members`, `[[name, value, [argument of the data type]]]`; `boundary` of flags;
* `named_tuple`: `fields` and `defaults`; `typed_dict`: `items` and `total`;
* protocols, which are plain: `names` and `noted`, the names of their members with and without a value.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.wording import Kind

from capsend.codec.instances import class_attribute, defines, slots_of
from capsend.shipping.captures.context import Refused
from capsend.shipping.captures.machinery import OF_PROTOCOLS, is_given_when_made, is_made, kind_of
from capsend.shipping.captures.origins import Origin
from capsend.traits.fields import annotations_of, final_in_methods

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from capsend.shipping.captures.context import Place
    from capsend.shipping.captures.protocols import Walk
    from capsend.shipping.entities import Reference

_FIELD_KINDS: Final = {"_FIELD": "", "_FIELD_CLASSVAR": "C", "_FIELD_INITVAR": "I"}
_ORDER: Final = ("__lt__", "__le__", "__gt__", "__ge__")
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
            Refused: a base or its metaclass cannot be sent.
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
            parts["slots"] = [
                name for name in vars(cls) if name in slots_of(cls) or name in {"__dict__", "__weakref__"}
            ]
        if "__orig_bases__" in vars(cls) and kind != "typed_dict":
            parts["orig"] = self._sent(cls.__orig_bases__, "__orig_bases__", place)
        early = {name: raw for name, raw in vars(cls).items() if is_given_when_made(cls, name, raw)}
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
        """Send a value that the machinery needs, or a placeholder; a value that code names is judged where it is named."""
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
            self._walk.context.observed.made_table(lambda f=field: {each: getattr(f, each) for each in _OF_FIELDS})  # type: ignore[misc]  # mypy refuses defaults in a lambda
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
        made = {name for name, raw in names.items() if is_made(getattr(raw, "__wrapped__", raw))}
        if "__init__" in made:
            every = [
                field for field in _given(cls.__dataclass_fields__.values()) if field.default is not dataclasses.MISSING
            ]
            keywords = {field.name: field.default for field in every if field.kw_only}
            self._require_defaults(cls, [field.default for field in every if not field.kw_only], keywords)
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
        extra = ["__post_init__"] if defines(cls, "__post_init__") else []
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
                # A callable here selects the kind of comparison; it is not a yes or no.
                value = getattr(attribute, option, None)
                if callable(value):
                    options[option.removesuffix("_key")] = self._sent(value, attribute.name, place)
            for option in ("default", "validator", "converter"):
                value = getattr(attribute, option)
                if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # a class, although its stub has none
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
        made = {name for name, raw in names.items() if is_made(raw)}
        if "__init__" in made:
            every = [
                each
                for each in cls.__attrs_attrs__
                if each.init and not isinstance(each.default, attrs.Factory) and each.default is not attrs.NOTHING  # type: ignore[arg-type]  # as above
            ]
            keywords = {each.alias or each.name.lstrip("_"): each.default for each in every if each.kw_only}
            self._require_defaults(cls, [each.default for each in every if not each.kw_only], keywords)
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
        extra = [name for name in ("__attrs_pre_init__", "__attrs_post_init__") if defines(cls, name)]
        hooked = {name: self._sent(names[name], name, place) for name in extra if name in names}
        return {"fields": fields, "params": params, **({"hooks": hooked} if hooked else {})}

    def _enum(self, cls: Any, place: Place) -> dict[str, Any]:
        members = []
        for name, member in cls.__members__.items():
            if not _is_under_its_value(cls, member):
                raise Refused(f"the value of {cls.__qualname__}.{name} was replaced", "give it this value in the class")
            data = [self._sent(part, name, place) for part in _data_of(cls, member)]
            members.append([name, self._sent(member._value_, name, place), data])
        boundary = vars(cls).get("_boundary_")
        parts: dict[str, Any] = {"members": members}
        if boundary is not None:
            parts["boundary"] = boundary.value
        return parts

    def _require_defaults(self, cls: Any, expected: list[object], keywords: dict[str, object]) -> None:
        """Ensure that a generated `__init__` has the fields' defaults: the guest makes the method from the fields.

        Raises:
            Refused: a default of the method was replaced.
        """
        made = cls.__init__
        for name in ("__defaults__", "__kwdefaults__"):
            self._walk.context.observed.attribute(made, name)
        self._walk.context.observed.table(made.__kwdefaults__ or {})
        given = [default for default in made.__defaults__ or () if not _is_sentinel(default)]
        by_name = {name: value for name, value in (made.__kwdefaults__ or {}).items() if not _is_sentinel(value)}
        if (
            len(given) != len(expected)
            or any(one is not other for one, other in zip(given, expected, strict=True))
            or by_name.keys() != keywords.keys()
            or any(by_name[name] is not keywords[name] for name in by_name)
        ):
            raise Refused("the defaults of its generated __init__ were replaced", "give the fields these defaults")

    def _named_tuple(self, cls: Any, place: Place) -> dict[str, Any]:
        self._walk.context.observed.attribute(cls.__new__, "__defaults__")
        values = cls.__new__.__defaults__ or ()
        names = cls._fields[len(cls._fields) - len(values) :]
        defaults = [self._sent(value, name, place) for name, value in zip(names, values, strict=True)]
        return {"fields": list(cls._fields), "defaults": defaults}

    def _typed_dict(self, cls: Any, place: Place) -> dict[str, Any]:
        items = {name: self._sent(value, name, place) for name, value in annotations_of(cls).items()}
        return {"items": items, "total": bool(class_attribute(cls, "__total__", True)), "bases": []}


_OF_FIELDS: Final = ("default", "default_factory", "init", "repr", "hash", "compare", "kw_only", "metadata", "type")
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
    | {"__annotate_func__", "__annotations_cache__", "_is_runtime_protocol", *OF_PROTOCOLS}
)


def _is_under_its_value(cls: Any, member: Any) -> bool:
    try:
        return bool(cls._value2member_map_.get(member._value_) is member)
    except TypeError:
        return True  # unhashable values are compared with each member


def _given(fields: Iterable[Any]) -> Iterator[Any]:
    """Yield the fields of a dataclass that are parameters of its `__init__`."""
    for field in fields:
        if field.init and field._field_type.name != "_FIELD_CLASSVAR":  # noqa: SLF001 - there is no public way to ask
            yield field


def _is_sentinel(default: object) -> bool:
    """Return whether a default represents a factory, or the absence of a default."""
    return default is attrs.NOTHING or type(default).__name__ == "_HAS_DEFAULT_FACTORY_CLASS"


def _setattr_hooks(cls: Any) -> dict[str, Any]:
    """Return {field: hook} of a class whose `__setattr__` attrs made; hooks given for the whole class are found only in its closure."""
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
