"""Descriptions of entities as data, and the comparison of the host's description with the guest's.

Host and guest run this code, each over its own entities, which have the same numbers. It depends neither on the walk
nor on the steps. A description is JSON: `{"texts": {path: text}, "same": [[path, ...], ...]}`, where a path begins with
the number of an entity (`#3.__defaults__[0]`) and `same` lists the places that hold one object.
"""

from __future__ import annotations

import enum
import functools
import os
import re
import sys
import types
import typing
from typing import TYPE_CHECKING, Any, Final

from capsend.codec.instances import BASES, fields_of, is_a, plan_of
from capsend.shipping.abstract import abstract_subclasses, virtual_subclasses
from capsend.shipping.examining import examining

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

_CACHE: Final = type(functools.lru_cache(lambda: None))
UNKNOWN: Final = "..."
"""The text of an object that exists on the host only; it equals every other text."""

_ABSENT: Final = object()
_MAX_DEPTH: Final = 12
_OF_TYPES: Final = frozenset({"collections.abc", "types", "typing", "typing_extensions"})
"""The modules whose classes make type expressions."""
_SMALL: Final = frozenset({int, bool, type(None), type(Ellipsis), type(NotImplemented)})
_ATOMS: Final = (str, bytes, float, complex)
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")

# Made by the interpreter or a library for its own use; their set depends on its version.
_OF_CLASSES: Final = frozenset(
    {
        "__dict__", "__weakref__", "__firstlineno__", "__static_attributes__", "__annotate__", "__annotate_func__", "__annotations_cache__",
        "__annotations__", "_abc_impl", "__module__", "__doc__", "__qualname__", "__abstractmethods__", "__type_params__", "__classcell__",
        "__dataclass_params__", "__dataclass_fields__", "__attrs_attrs__", "__attrs_props__", "__replace__", "__classdictcell__", "__signature__",
        "_member_map_", "_value2member_map_", "_member_names_", "_member_type_", "_new_member_", "_unhashable_values_", "_unhashable_values_map_",
        "_hashable_values_", "_use_args_", "_value_repr_", "_generate_next_value_", "__new_member__", "_boundary_", "_flag_mask_",
        "_all_bits_", "_singles_mask_", "_inverted_", "_numeric_repr_", "__slotnames__", "__protocol_attrs__", "__non_callable_proto_members__",
        "__callable_proto_members_only__", "_is_protocol", "_is_runtime_protocol", "__parameters__", "__getstate__", "__setstate__",
        "__attrs_own_setattr__", "__attrs_base_of_slotted__", "__readonly_keys__", "__mutable_keys__", "__closed__", "__extra_items__",
    }
)  # fmt: skip
_OF_PROTOCOLS: Final = frozenset({"__init__", "__subclasshook__"})
_OF_TUPLES: Final = frozenset({"__orig_bases__", "__class_getitem__", "__match_args__", "_fields"})
_OF_PARTIALS: Final = frozenset({"func", "args", "keywords", "_phcount", "_merger"})
_OF_FUNCTIONS: Final = frozenset({"__annotations__", "__annotate__", "__type_params__"})
_LIBRARIES: Final = frozenset({"capsend", "capsend_traits", "attr", "attrs", "typing_extensions"})
_OF_THE_PLACE: Final = frozenset({"capsend", "capsend_guest", "_sitebuiltins"})
_NEW_TEXTS: Final = frozenset({"_struct.Struct"})
# {module: name} of objects that moved between versions of Python: each keeps the name of the older version.
_MOVED: Final = {
    "pathlib._local": "pathlib", "pathlib.types": "pathlib", "typing_extensions": "typing", "_decimal": "decimal", "_pydecimal": "decimal",
    "re._compiler": "re", "functools": "_functools", "string.templatelib": "string", "annotationlib": "typing", "_operator": "operator",
}  # fmt: skip


_asked = False


def is_asked() -> bool:
    """Return whether sent entities are compared: if CAPSEND_COMPARE is set, or if the process's own entities were compared."""
    return _asked or bool(os.environ.get("CAPSEND_COMPARE"))


def ask() -> None:
    """Have the entities that this process sends compared too."""
    global _asked  # noqa: PLW0603 - a process has one thread, and one parent
    _asked = True


def stands_for_another(thing: object) -> bool:
    """Return whether an object is a placeholder of the guest, or one that the host's walk made up, and not an entity of the user."""
    cls = type(thing)
    return "__capsend_unsent__" in vars(cls) or cls.__module__.startswith("capsend.shipping.captures.")


def describe(
    entities: Iterable[object],
    *,
    is_unknown: Callable[[object], bool] = stands_for_another,
    namespaces: Collection[int] = (),
) -> dict[str, Any]:
    """Return the description of entities.

    Args:
        entities: the objects, in the order of their numbers.
        is_unknown: returns whether an object only represents one that was not sent.
        namespaces: the identities of dicts that represent modules.

    Returns:
        `{"texts": {path: text}, "same": [[path, ...], ...]}`.
    """
    return _Description(list(entities), is_unknown, namespaces).write()


def compare(host: dict[str, Any], guest: dict[str, Any]) -> str | None:
    """Return the first difference, as "PATH: TEXT on the host, TEXT in the guest"; None if the descriptions agree."""
    mine, other = host["texts"], guest["texts"]
    for path in [*mine, *(path for path in other if path not in mine)]:
        here, there = mine.get(path, "nothing"), other.get(path, "nothing")
        if here != there and UNKNOWN not in (here, there) and not _below_unknown(path, mine, other):
            return f"{path}: {here} on the host, {there} in the guest"
    return _identity(host, guest) or _identity(guest, host, words=("in the guest", "on the host"))


def _below_unknown(path: str, *descriptions: dict[str, str]) -> bool:
    ends = [match.start() for match in re.finditer(r"[.\[(]", path)]
    return any(each.get(path[:end]) == UNKNOWN for each in descriptions for end in ends)


def _identity(
    one: dict[str, Any], two: dict[str, Any], words: tuple[str, str] = ("on the host", "in the guest")
) -> str | None:
    groups = {path: number for number, paths in enumerate(two["same"]) for path in paths}
    known = two["texts"]
    for paths in one["same"]:
        found = [path for path in paths if known.get(path, UNKNOWN) != UNKNOWN]
        for path in found[1:]:
            if groups.get(found[0], found[0]) != groups.get(path, path):
                return f"{found[0]} is {path} {words[0]}, and not {words[1]}"
    return None


class _Description:
    """One description in progress."""

    def __init__(
        self, entities: list[object], is_unknown: Callable[[object], bool], namespaces: Collection[int] = ()
    ) -> None:
        self._namespaces = namespaces
        self._entities = entities
        self._is_unknown = is_unknown
        self._numbers: dict[int, int] = {}
        self._texts: dict[str, str] = {}
        self._places: dict[int, list[str]] = {}
        self._kept: list[object] = []  # kept alive, so that no identity is reused
        self._open: set[int] = set()
        for number, entity in enumerate(entities):
            self._numbers.setdefault(id(entity), number)
            if not self._is_unknown(entity) and isinstance(entity, types.ModuleType):
                self._numbers.setdefault(id(vars(entity)), number)

    def write(self) -> dict[str, Any]:
        """Describe all entities."""
        for number, entity in enumerate(self._entities):
            first = self._numbers[id(entity)]
            if first == number or type(entity) in _ATOMS:  # equal texts may be one object by chance
                self._entity(f"#{number}", entity)
            else:
                self._texts[f"#{number}"] = f"#{first}"
        return {"texts": self._texts, "same": [paths for paths in self._places.values() if len(paths) > 1]}

    def _entity(self, path: str, entity: Any) -> None:
        if self._is_unknown(entity):  # asked first: its class refuses every other question
            self._texts[path] = UNKNOWN
        elif isinstance(entity, types.ModuleType):
            self._module(path, vars(entity))
        elif id(entity) in self._namespaces:
            self._module(path, entity)
        elif isinstance(entity, type):
            self._class(path, entity)
        elif isinstance(entity, types.FunctionType):
            self._function(path, entity)
        else:
            self._parts(path, entity)

    # The parts of objects

    def _module(self, path: str, namespace: dict[str, Any]) -> None:
        name = str(namespace.get("__name__", "__main__"))
        self._texts[path] = f"module {name}"
        if name.partition(".")[0] in sys.stdlib_module_names | _LIBRARIES:
            return
        for key, value in namespace.items():
            if not (key.startswith("__") and key.endswith("__")):
                self._value(f"{path}.{key}", value)

    def _function(self, path: str, function: types.FunctionType) -> None:
        self._texts[path] = "function"
        if _is_named(function):
            self._texts[path] = f"function {_name(function)}"
            return
        maker = str(function.__globals__.get("__name__")).partition(".")[0]
        if function.__code__.co_filename.startswith("<") or maker in sys.stdlib_module_names | _LIBRARIES:
            self._texts[path] = f"function made by a library: {function.__name__}"
            for cls, implementation in vars(function).get("registry", {}).items():
                self._value(f"{path}.registry[{_name(cls)}]", implementation)
            return
        for name in ("__name__", "__qualname__", "__module__", "__doc__"):
            self._texts[f"{path}.{name}"] = repr(getattr(function, name))
        self._texts[f"{path}.__defaults__"] = str(function.__defaults__ is not None)
        for place, value in enumerate(function.__defaults__ or ()):
            self._value(f"{path}.__defaults__[{place}]", value)
        for name, value in (function.__kwdefaults__ or {}).items():
            self._value(f"{path}.__kwdefaults__[{name}]", value)
        self._annotations(path, function)
        for name, value in vars(function).items():
            if name not in _OF_FUNCTIONS:
                self._value(f"{path}.{name}", value)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._share(f"{path}({name} cell)", cell)
            self._value(f"{path}({name})", _contents(cell))
        code = function.__code__
        self._texts[f"{path}.__code__"] = (
            f"{code.co_name} {code.co_argcount} {code.co_kwonlyargcount} {code.co_varnames[: code.co_argcount]}"
        )

    def _class(self, path: str, cls: type[Any]) -> None:
        self._texts[path] = _kind(cls)
        if _is_named(cls):
            return
        passed = _OF_CLASSES | (_OF_PROTOCOLS if "_is_protocol" in vars(cls) else frozenset())
        passed |= _OF_TUPLES if issubclass(cls, tuple) or "__total__" in vars(cls) else frozenset()
        for name in ("__name__", "__qualname__", "__module__"):
            self._texts[f"{path}.{name}"] = repr(getattr(cls, name))
        self._texts[f"{path}.__doc__"] = repr(None if _has_generated_doc(cls) else cls.__doc__)
        self._value(f"{path}.__class__", type(cls))
        self._value(f"{path}.__bases__", cls.__bases__)
        self._value(f"{path}.__mro__", cls.__mro__[1:])
        self._annotations(path, cls)
        self._registered(path, cls)
        members = vars(cls).get("__members__") or {}
        for name, value in vars(cls).items():
            if name not in passed and name not in members and type(value).__name__ not in _DESCRIPTORS_IN_C:
                self._entry(f"{path}.{name}", value)
        if issubclass(cls, enum.Enum):
            for name, member in cls.__members__.items():
                self._texts[f"{path}[{name}]"] = f"member {member._name_}"
                for field, value in sorted(vars(member).items()):
                    if field not in {"_sort_order_", "__objclass__", "_inverted_"}:
                        self._value(f"{path}[{name}].{field}", value)
        for name, field in vars(cls).get("__dataclass_fields__", {}).items():
            for part in ("default", "default_factory", "init", "repr", "compare", "kw_only"):
                self._value(f"{path}<{name}>.{part}", getattr(field, part))
            self._annotation(f"{path}<{name}>.type", field.type)
        for attribute in vars(cls).get("__attrs_attrs__", ()):
            for part in ("default", "init", "repr", "kw_only", "converter", "validator"):
                self._value(f"{path}<{attribute.name}>.{part}", getattr(attribute, part))
            self._annotation(f"{path}<{attribute.name}>.type", attribute.type)

    def _entry(self, path: str, value: Any) -> None:
        if type(value) is functools.partial and sys.version_info < (3, 14):
            self._texts[path] = (
                UNKNOWN  # since 3.14, the guest's version, it would bind its first argument: the guest has a staticmethod around it
            )
        else:
            self._value(path, value)

    def _registered(self, path: str, cls: type) -> None:
        if "_abc_impl" not in vars(cls):
            return
        # The guest represents this class's registrations of subclasses that stay on the host.
        asked = [cls, *(sub for sub in abstract_subclasses(cls) if self._numbered(sub) is None)]
        known = dict.fromkeys(each for base in asked for each in virtual_subclasses(base))
        # A class that no code can name makes no difference.
        names = (_name(each) for each in known if _is_named(each) or self._numbered(each))
        self._texts[f"{path}.register()"] = ", ".join(sorted(names))

    def _annotations(self, path: str, thing: Any) -> None:
        try:
            found = _annotations_of(thing)
        except Exception as error:  # noqa: BLE001 - a newer Python evaluates them only now
            self._texts[f"{path}.__annotations__"] = f"fail with {type(error).__name__}"
            return
        for name, value in found.items():
            self._annotation(f"{path}.__annotations__[{name}]", value)

    def _annotation(self, path: str, value: Any) -> None:
        self._texts[path] = UNKNOWN if self._is_unknown(value) else self._type(value)

    def _type(self, value: Any) -> str:
        """Return an annotation as text that is the same in all versions of Python."""
        if value is None or value is type(None):
            return "None"
        if is_a(value, str | int | bytes):
            return repr(value)
        if is_a(value, typing.ForwardRef):
            return repr(value.__forward_arg__)
        if is_a(value, list | tuple):
            return f"[{', '.join(map(self._type, value))}]"
        origin = typing.get_origin(value)
        if origin is None or origin is value:
            return self._numbered(value) or (_name(value) if hasattr(value, "__name__") else type(value).__name__)
        if origin is types.UnionType or origin is typing.Union:
            return " | ".join(map(self._type, typing.get_args(value)))
        return f"{self._type(origin)}{self._type(typing.get_args(value))}"

    # Values

    def _numbered(self, value: object) -> str | None:
        number = self._numbers.get(id(value))
        return None if number is None else f"#{number}"

    def _share(self, path: str, value: Any) -> None:
        if type(value) in _ATOMS and self._open and value == value:  # noqa: PLR0124 - only a NaN differs from itself
            return  # the compiler makes one object of equal constants, so their identity proves nothing
        if type(value) in _SMALL or (is_a(value, str | bytes | tuple | frozenset) and len(value) < 2):
            return
        self._kept.append(value)
        self._places.setdefault(id(value), []).append(path)

    def _value(self, path: str, value: Any) -> None:
        """Write a value's text at a path, and its parts below the path."""
        is_module = not self._is_unknown(value) and is_a(value, types.ModuleType)
        number = None if type(value) in _ATOMS else self._numbered(vars(value) if is_module else value)
        if self._is_unknown(value):
            self._texts[path] = UNKNOWN
        elif number is not None:
            self._texts[path] = number
        elif value is _ABSENT:
            self._texts[path] = "empty"
        else:
            self._parts(path, value)

    def _parts(self, path: str, value: Any) -> None:
        cls = type(value)
        if cls in _SMALL or cls in _ATOMS:
            self._texts[path] = f"{cls.__name__} {_atom(value)}"[:200]
            self._share(path, value)
            return
        if id(value) in self._open or path.count(".") + path.count("[") + path.count("(") > _MAX_DEPTH:
            self._texts[path] = "again"
            return
        self._open.add(id(value))
        try:
            self._whole(path, value)
        finally:
            self._open.discard(id(value))

    def _whole(self, path: str, value: Any) -> None:
        cls = type(value)
        if is_a(value, types.ModuleType):
            self._texts[path] = f"module {value.__name__}"
        elif is_a(value, type):
            self._texts[path] = _kind(value)
        elif is_a(value, types.FunctionType):
            self._function(path, value)
        elif is_a(value, types.BuiltinFunctionType) and isinstance(value.__self__, types.ModuleType):
            self._texts[path] = UNKNOWN  # the image has it by name, perhaps as a function written in Python
        elif cls.__module__.partition(".")[0] in _OF_THE_PLACE:
            self._texts[path] = UNKNOWN  # a capability, or a text about the interpreter
        elif is_a(value, enum.Enum):
            self._texts[path] = f"{_name(cls)}.{value._name_}"
        elif cls in _TAKEN_APART:
            self._texts[path] = cls.__name__
            for name, part in _TAKEN_APART[cls](value):
                self._value(f"{path}.{name}", part)
        elif cls in {set, frozenset}:
            self._texts[path] = f"{cls.__name__} {sorted(map(self._alone, value))}"
        elif is_a(value, _CACHE):
            self._texts[path] = f"cache {value.cache_parameters()} {value.cache_info().currsize}"
            self._value(f"{path}.__wrapped__", value.__wrapped__)
        elif cls.__module__ in _OF_TYPES and typing.get_origin(value) is not None:
            self._texts[path] = f"type {self._type(value)}"
        elif cls.__module__ in _OF_TYPES - {"collections.abc"}:
            self._texts[path] = f"type {_ADDRESS.sub('0x', repr(value)).replace('typing_extensions', 'typing')}"
        else:
            self._share(path, value)
            self._instance(path, value, cls)

    def _alone(self, value: Any) -> str:
        """Return the text of an element of a set, which has no path."""
        inner = _Description([], self._is_unknown)
        inner._numbers = self._numbers
        inner._value("", value)
        return " ".join(f"{path}={text}" for path, text in inner._texts.items())

    def _instance(self, path: str, value: Any, cls: type) -> None:
        plan = plan_of(cls)
        name = self._numbered(cls) or _name(cls)
        self._texts[path] = f"instance of {name}"
        if (plan.base not in BASES or _is_named(cls)) and cls not in BASES:
            self._texts[path] = _plain(value)
            return
        part = BASES[plan.base].read(value)
        if isinstance(part, tuple | list):
            for place, item in enumerate(part):
                self._value(f"{path}[{place}]", item)
        elif isinstance(part, dict):
            for key, item in part.items():
                self._value(f"{path}[{self._alone(key)}]", item)
        elif part is not None:
            self._texts[path] += f" {_plain(part)}"
        if cls.__module__ not in {"builtins", "collections"} and not plan.own_set:
            for field, item in sorted(fields_of(value, plan).items()):
                self._value(f"{path}.{field}", item)


_DESCRIPTORS_IN_C: Final = frozenset(
    {"member_descriptor", "getset_descriptor", "method_descriptor", "wrapper_descriptor", "_tuplegetter", "nonmember"}
)


def _annotations_of(thing: Any) -> dict[str, object]:
    if not isinstance(thing, type):
        return dict(thing.__annotations__)
    if sys.version_info >= (3, 14):
        return dict(type.__dict__["__annotations__"].__get__(thing))  # noqa: RUF063 - inspect would import the modules that it uses
    # Asking an older Python for them would add an empty dict to a class without annotations.
    return dict(vars(thing).get("__annotations__", {}))


def _contents(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return _ABSENT


def _is_named(thing: Any) -> bool:
    """Return whether a function or class belongs to the interpreter or a library of the image, which defines its parts."""
    return str(thing.__module__).partition(".")[0] in sys.stdlib_module_names | _LIBRARIES


def _name(thing: Any) -> str:
    module = str(getattr(thing, "__module__", None))
    if module.startswith("capsend."):
        module = "capsend"  # for parts of capsend the image has other modules
    return f"{_MOVED.get(module, module)}.{getattr(thing, '__qualname__', getattr(thing, '__name__', '?'))}"


def _kind(cls: type) -> str:
    """Return the kind of a class, under which versions of `typing` agree."""
    return f"{'type' if cls.__module__ == 'typing' else 'class'} {_name(cls)}"


def _atom(value: Any) -> str:
    """Return the text of an atom; of a long int in hexadecimal, as Python refuses to write it in decimal."""
    return hex(value) if type(value) is int and value.bit_length() > 1000 else repr(value)


def _plain(value: object) -> str:
    name = _name(type(value))
    # In a process the method for a library's instance, which may also hold it, can be a placeholder.
    with examining():
        text = type(value).__repr__
        own = (
            text is not object.__repr__
            and name not in _NEW_TEXTS
            and (_is_named(type(value)) or not isinstance(text, types.FunctionType))
        )
        try:
            return f"{name} {_ADDRESS.sub('0x', repr(value))[:200]}" if own else name
        except TypeError:
            return UNKNOWN


def _has_generated_doc(cls: type) -> bool:
    """Return whether a docstring was generated: dataclasses, named tuples and enums get one, whose form depends on the version."""
    doc = cls.__doc__
    return doc is None or doc.startswith((f"{cls.__name__}(", "Initialize self", "An enumeration", "Method generated"))


def _parts_of_partial(value: Any) -> Iterator[tuple[str, object]]:
    yield "func", value.func
    yield from ((f"args[{place}]", item) for place, item in enumerate(value.args))
    yield from ((f"keywords[{name}]", item) for name, item in value.keywords.items())
    yield from ((name, item) for name, item in vars(value).items() if name not in _OF_PARTIALS)


def _named(*names: str) -> Callable[[Any], Iterator[tuple[str, object]]]:
    return lambda value: ((name, getattr(value, name, None)) for name in names)


_TAKEN_APART: Final[dict[type, Callable[[Any], Iterator[tuple[str, object]]]]] = {
    staticmethod: _named("__func__"),
    classmethod: _named("__func__"),
    property: _named("fget", "fset", "fdel", "__doc__"),
    functools.cached_property: _named("func", "attrname"),
    functools.partial: _parts_of_partial,
    functools.partialmethod: _parts_of_partial,
    functools.singledispatchmethod: _named("func"),
    types.MethodType: _named("__self__", "__func__"),
    types.BuiltinFunctionType: lambda value: iter([("name", value.__name__)]),
    types.MappingProxyType: lambda value: ((repr(key), item) for key, item in value.items()),
}
