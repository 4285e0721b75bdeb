"""The assembly of classes from their parts: no class statement, decorator, metaclass or `__init_subclass__` of the user runs again.

Parts that the interpreter generates (the `__init__` of a dataclass, the members of an enum) are generated again by the
guest, from values that the host sent. All other entries of the class follow as a fill, so that they are the same as on
the host.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import enum
import types
import typing
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# This module handles values of every class.
_set: Final[Any] = type.__setattr__
_FIELD_KINDS: Final = {"": Any, "C": typing.ClassVar[Any], "I": dataclasses.InitVar(Any)}


def keep_field_types(cls: type, types_: dict[str, Any]) -> None:
    """Set the types of the fields of a class, and of fields that its subclasses inherit, to the class's annotations."""
    for name, field in vars(cls).get("__dataclass_fields__", {}).items():
        if name in types_:
            field.type = types_[name]
    stack = [cls]
    while stack:
        current = stack.pop()
        for attribute in vars(current).get("__attrs_attrs__", ()):
            if attribute.name in types_ and (current is cls or attribute.inherited):
                object.__setattr__(attribute, "type", types_[attribute.name])
        stack += type.__subclasses__(current)


@contextlib.contextmanager
def _assigned(cls: type) -> Iterator[None]:
    """Have the generated `__init__` assign the defaults of fields that are not its parameters: a class with slots has no attributes for them."""
    own = [field for field in vars(cls).values() if isinstance(field, dataclasses.Field)]
    every = [
        *own,
        *(field for base in cls.__mro__[1:] for field in vars(base).get("__dataclass_fields__", {}).values()),
    ]
    changed = []
    for field in dict.fromkeys(every):
        if not field.init and field.default is not dataclasses.MISSING:
            changed.append((field, field.default))
            field.default_factory, field.default = (lambda value=field.default: value), dataclasses.MISSING
    try:
        yield
    finally:
        for field, default in changed:
            field.default, field.default_factory = default, dataclasses.MISSING


class Assembler:
    """Makes classes from their parts.

    Args:
        get: returns the entity of a reference.
        is_own: returns whether a class was sent with the program.
    """

    def __init__(self, get: Callable[[Any], Any], is_own: Callable[[type], bool]) -> None:
        self._get = get
        self._is_own = is_own
        self._kinds: dict[str, Callable[[dict[str, Any]], Any]] = {
            "plain": self._plain,
            "dataclass": self._dataclass,
            "attrs": self._attrs,
            "enum": self._enum,
            "named_tuple": self._named_tuple,
            "typed_dict": self._typed_dict,
        }

    def make(self, parts: dict[str, Any]) -> Any:
        """Return the class that the parts describe; see `capsend.shipping.captures.anatomy`."""
        made = self._kinds[parts.get("kind", "plain")](parts)
        if "final" in parts:
            from capsend.traits.fields import keep_final

            keep_final(made, parts["final"])
        return made

    def _plain(self, parts: dict[str, Any]) -> Any:
        namespace = self._namespace(parts)
        bases = tuple(map(self._get, parts["bases"]))
        meta = self._metaclass(parts, bases)
        with self._quiet(bases):
            made = self._of_image(meta).__new__(meta, parts["name"], bases, namespace)
            if self._of_image(meta) is not type:
                self._of_image(meta).__init__(made, parts["name"], bases, namespace)
        return made

    def _namespace(self, parts: dict[str, Any]) -> dict[str, Any]:
        namespace: dict[str, Any] = {"__module__": parts["module"], "__qualname__": parts["qualname"]}
        if "slots" in parts:
            namespace["__slots__"] = tuple(parts["slots"])
        if "orig" in parts:
            namespace["__orig_bases__"] = self._get(parts["orig"])
        for name, reference in parts.get("hooks", {}).items():
            namespace[name] = self._get(reference)
        for name in parts.get("names", ()):
            namespace.setdefault(name, None)
        if "noted" in parts:
            namespace["__annotations__"] = dict.fromkeys(parts["noted"], Any)
        return namespace

    def _metaclass(self, parts: dict[str, Any], bases: tuple[type, ...]) -> Any:
        meta: Any = self._get(parts["meta"]) if "meta" in parts else type
        for base in bases:
            if issubclass(type(base), meta):
                meta = type(base)
        return meta

    def _of_image(self, meta: Any) -> Any:
        """Return the nearest base of a metaclass that is not user code."""
        return next(cls for cls in meta.__mro__ if not self._is_own(cls))

    @contextlib.contextmanager
    def _quiet(self, bases: tuple[type, ...]) -> Iterator[None]:
        """Prevent the user's `__init_subclass__` from running: the class already has its effects from the host."""
        hidden = []
        for cls in dict.fromkeys(cls for base in bases for cls in base.__mro__):
            if self._is_own(cls) and "__init_subclass__" in vars(cls):
                hidden.append((cls, vars(cls)["__init_subclass__"]))
                type.__delattr__(cls, "__init_subclass__")
        try:
            yield
        finally:
            for cls, hook in hidden:
                _set(cls, "__init_subclass__", hook)

    def _dataclass(self, parts: dict[str, Any]) -> Any:
        made = self._plain(parts)
        kept = {name: slot for name, slot in vars(made).items() if isinstance(slot, types.MemberDescriptorType)}
        annotations = {}
        for name, kind, options in parts["fields"]:
            annotations[name] = _FIELD_KINDS[kind]
            given = {key: self._get(item) if type(item) in {int, str} else item[0] for key, item in options.items()}
            _set(made, name, dataclasses.field(**given))
        made.__annotations__ = annotations
        with _assigned(made) if "slots" in parts else contextlib.nullcontext():
            dataclasses.dataclass(**parts["params"])(made)
        for name, _kind, _options in parts["fields"]:
            if name in vars(made):
                type.__delattr__(made, name)
        for name, slot in kept.items():
            _set(made, name, slot)
        del made.__annotations__
        for name, value in parts["recorded"].items():
            setattr(made.__dataclass_params__, name, value)
        return made

    def _attrs(self, parts: dict[str, Any]) -> Any:
        import attr

        bare = self._plain({key: part for key, part in parts.items() if key not in {"meta", "slots"}})
        these = {}
        for name, options in parts["fields"]:
            given = {key: self._get(item) if type(item) in {int, str} else item[0] for key, item in options.items()}
            if "factory" in given:
                given["default"] = attr.Factory(given.pop("factory"), given.pop("takes_self"))
            these[name] = attr.ib(**given)
        slots = parts.get("slots")
        with self._quiet(bare.__bases__):
            made: Any = attr.s(
                bare,
                these=these,
                slots=slots is not None,
                weakref_slot="__weakref__" in (slots or ()),
                **parts["params"],
            )
        if "meta" in parts:
            made.__class__ = self._get(parts["meta"])
        return made

    def _named_tuple(self, parts: dict[str, Any]) -> Any:
        defaults = [self._get(reference) for reference in parts["defaults"]]
        make: Any = collections.namedtuple  # noqa: PYI024 - the fields are data
        # Fields that begin with an underscore got their names from `rename`, which gives them the same names again.
        is_renamed = any(name.startswith("_") for name in parts["fields"])
        made = make(parts["name"], parts["fields"], rename=is_renamed, defaults=defaults, module=parts["module"])
        bases = tuple(map(self._get, parts["bases"]))
        if bases != (tuple,):
            made.__bases__ = bases
        _set(made, "__qualname__", parts["qualname"])
        return made

    def _typed_dict(self, parts: dict[str, Any]) -> Any:
        annotations = {name: self._get(reference) for name, reference in parts["items"].items()}
        make: Any = typing.TypedDict
        made = make(parts["name"], annotations, total=parts["total"])
        _set(made, "__module__", parts["module"])
        _set(made, "__qualname__", parts["qualname"])
        return made

    def _enum(self, parts: dict[str, Any]) -> Any:
        bases = tuple(map(self._get, parts["bases"]))
        meta = self._metaclass(parts, bases)
        prepare: Any = enum.EnumType.__prepare__
        options = {} if "boundary" not in parts else {"boundary": enum.FlagBoundary(parts["boundary"])}
        namespace = prepare(parts["name"], bases, **options)
        namespace["__module__"], namespace["__qualname__"] = parts["module"], parts["qualname"]
        members = {name: (self._get(value), tuple(map(self._get, data))) for name, value, data in parts["members"]}
        if members:
            waiting = iter(members.values())

            def __new__(cls: Any, *_args: Any) -> Any:  # noqa: N807 - the enum machinery looks for this name
                value, data = next(waiting)
                base = cls._member_type_
                member = object.__new__(cls) if base is object else base.__new__(cls, *data)
                member._value_ = value
                return member

            namespace["__new__"] = __new__
            namespace["__init__"] = lambda *_args: None
        for name, (value, _data) in members.items():
            namespace[name] = enum.member(value)
        with self._quiet(bases):
            make: Any = enum.EnumType.__new__
            made = make(meta, parts["name"], bases, namespace, **options)
        if members:
            for name in ("__init__", "__new_member__"):
                if name in vars(made):
                    type.__delattr__(made, name)
            base = made._member_type_
            _set(made, "_new_member_", base.__new__)
            _set(made, "_use_args_", base is not object)
        return made
