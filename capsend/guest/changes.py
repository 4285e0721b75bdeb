"""Changes that other processes would not see: those of a process to modules, classes, functions and instances that were sent with it.

Most such writes are refused before the start. Those made through a name that cannot be followed (an alias, a parameter,
`exec`) are found here: after the function has run, everything that was sent must still consist of the same objects;
otherwise the process ends with an error.
"""

from __future__ import annotations

import abc
import enum
import functools
import sys
import types
from _abc import _get_dump  # type: ignore[import-not-found]  # there is no public access to registrations
from operator import is_
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeAlias

from capsend_traits.wording import PACKAGE_STATE_CURE, PACKAGE_WRITTEN_CURE, WRITTEN_CURE, WRITTEN_VERDICT

from capsend.codec.instances import (
    bases_of,
    class_attribute,
    defines,
    fields_of,
    mro_of,
    name_of,
    namespace_of,
    plan_of,
    qualname_of,
)
from capsend.exceptions import CaptureError
from capsend.shipping.package_state import changed_field, differing_fields, put_data, state_of
from capsend.source.modules import shown_name
from capsend.traits.markers import IMPL
from capsend.traits.parts import ATOMS
from capsend.traits.per_process import class_declares_per_process, declares_per_process

from .unsent import Unsent, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    class _Program(Protocol):
        """The members of a program that this module uses; see `capsend_guest.rebuild.Program`."""

        entities: list[Any]

        def has(self, cls: type) -> bool: ...
        def owns(self, module: str) -> bool: ...
        def made(self, thing: Any) -> bool: ...


_ABSENT: Final = object()
_BY_THE_INTERPRETER: Final = frozenset(
    {
        *("__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__", "__attrs_types_resolved__"),
        *("__builtins__", "__conditional_annotations__", "__non_callable_proto_members__", "__protocol_attrs__"),
        *("__callable_proto_members_only__", "__slotnames__", "__type_params__", "__warningregistry__"),
        *("_class_cleanups", "_classSetupFailed", "_inverted_"),
    }
)
"""The names under which the interpreter and the standard library cache results."""
_OF_FUNCTIONS: Final = ("__code__", "__defaults__", "__name__", "__doc__")
_ENTRIES: Final = "capsend_guest."
"""The beginning of the modules with the entries for source text: they are not the program's, and nothing else names them."""

_AROUND: Final = (tuple, frozenset)
_WITH_INSTANCES: Final = (type, functools.partial)
_Reader: TypeAlias = "Callable[[Any], dict[Any, Any]]"


class Watch:
    """Remembers the objects that were sent with a program, and finds the first one that was changed.

    Args:
        program: the program.
    """

    def __init__(self, program: _Program) -> None:
        self._program = program
        self._looks: list[tuple[Any, _Reader, dict[Any, Any]]] = []
        self._seen: set[int] = set()
        self._packages: list[tuple[Any, str, dict[str, str]]] = []
        self._looked_at = 0

    def look(self) -> None:
        """Record everything that the program has made since the last call."""
        entities = self._program.entities
        # Placeholders refuse even `isinstance`.
        has_instances = any(issubclass(type(each), _WITH_INSTANCES) for each in entities)
        for thing in entities[self._looked_at :]:
            if type(thing) is Unsent or type(thing) in ATOMS:
                continue
            reader = self._reader(thing)
            if reader is not None:
                self._add(thing, reader)
            elif has_instances:
                for instance in self._instances(thing):
                    self._add(instance, _instance)
            if issubclass(type(thing), enum.EnumType) and self._program.has(thing):
                for member in thing._member_map_.values():
                    self._add(member, _instance)
        self._looked_at = len(entities)

    def constant(self, container: Any) -> None:
        """Record the lists, dicts and sets of a constant, nested ones included, which must not change."""
        waiting = [container] if type(container) in _HOLDERS else []
        for each in waiting:
            kind = type(each)
            if kind in _CONTENTS:
                self._add(each, _CONTENTS[kind])
            inner = each.values() if kind is dict else each
            if len(waiting) < _MOST_CONTAINERS and not _HOLDERS.isdisjoint(map(type, inner)):
                waiting += [part for part in inner if type(part) in _HOLDERS]

    def package(self, instance: Any, name: str, expected: dict[str, str], data: dict[str, str], is_own: bool) -> None:
        """Give an instance of a package the state of the host's instance, and record it unless it belongs to the process.

        Raises:
            CaptureError: the states differ in more than plain data.
        """
        state = state_of(instance, is_own=is_own)
        differing = [field for field in data if state.get(field) != expected[field]]
        for field in differing:
            put_data(instance, field, data[field])
        if differing:
            state = state_of(instance, is_own=is_own)
        if (other := changed_field(state, expected)) is not None:
            _refuse_state(name, other)
        if not is_own:
            self._packages.append((instance, name, state))

    def settings(self, instance: Any, name: str, data: dict[str, str]) -> None:
        """Give an instance of a package, which code of the package may read, the plain data of the host's instance.

        Raises:
            CaptureError: a field differs, and cannot be given the data.
        """
        for field, text in differing_fields(instance, data):
            put_data(instance, field, text)
        for field, _ in differing_fields(instance, data):
            _refuse_state(name, field)

    def change(self) -> CaptureError | None:
        """Return the error for the first change, and record everything again; None if nothing has changed."""
        name, cure = next(self._changed(), ("", ""))
        if not name:
            return None
        self._looks = [(thing, reader, reader(thing)) for thing, reader, _ in self._looks]
        self._packages = [(instance, name, state_of(instance)) for instance, name, _ in self._packages]
        changed = f'"{name}" was changed in the process, but the process has changed only its own copy'
        return CaptureError(f"{changed}: {WRITTEN_VERDICT}.\n\n    Instead: {cure}.")

    def _add(self, thing: Any, reader: _Reader) -> None:
        if id(thing) not in self._seen:
            self._seen.add(id(thing))
            self._looks.append((thing, reader, reader(thing)))

    def _reader(self, thing: Any) -> _Reader | None:
        """Return the reader for the parts of an object: a function, or a module or class of the user."""
        kind = type(thing)  # `isinstance` would ask the object, whose class may run code
        if kind is types.FunctionType:
            module = thing.__globals__.get("__name__", "")
            if self._program.owns(module):
                return _function_with_cells
            return None if module.startswith(_ENTRIES) else _function
        if issubclass(kind, types.ModuleType):
            return _module if self._program.owns(thing.__name__) else None
        return _class if issubclass(kind, type) and self._program.has(thing) else None

    def _instances(self, value: Any) -> Iterator[Any]:
        """Yield the instances in a value that was sent, except those in lists, dicts and sets, which belong to the process."""
        waiting = [value]
        while waiting:
            part = waiting.pop()
            kind: Any = type(part)
            if kind in ATOMS or id(part) in self._seen:
                continue
            if kind in _AROUND:
                if not set(map(type, part)) <= ATOMS:
                    waiting += part
            elif kind is functools.partial:
                yield part
                waiting += (part.func, *part.args, *part.keywords.values())
            elif self._program.has(kind) and _is_watched(kind):
                if issubclass(kind, _AROUND):
                    waiting += part
                yield part
                waiting += _instance(part).values()

    def _changed(self) -> Iterator[tuple[str, str]]:
        """Yield (name, cure) of all changed parts."""
        for instance, name, state in self._packages:
            if (field := changed_field(state, state_of(instance))) is not None:
                yield _dotted(name, field), PACKAGE_WRITTEN_CURE.format(name=name)
        for thing, reader, before in self._looks:
            after = reader(thing)
            if len(after) == len(before) and all(map(is_, map(after.get, before), before.values())):
                continue
            is_compiled = after.get("__code__") is not before.get("__code__")
            for name in [*before, *(name for name in after if name not in before)]:
                now = after.get(name, _ABSENT)
                if now is not before.get(name, _ABSENT) and not self._is_fine(
                    thing, name, now, is_new=name not in before, is_compiled=is_compiled
                ):
                    yield _name_of(thing, name, self._held_as(thing)), WRITTEN_CURE

    def _is_fine(self, thing: Any, name: Any, now: Any, *, is_new: bool, is_compiled: bool = False) -> bool:
        """Return whether a change is permitted: made by the interpreter, a cached result, or declared."""
        if type(thing) in _CONTENTS:
            return False
        if name in _BY_THE_INTERPRETER:
            return True
        kind = type(thing)
        if issubclass(type(name), type):
            return is_new and not self._is_known(name)
        if issubclass(kind, types.ModuleType):
            is_submodule = (
                issubclass(type(now), types.ModuleType) and sys.modules.get(f"{thing.__name__}.{name}") is now
            )
            is_cache = is_new and "__getattr__" in vars(thing)
            return is_submodule or is_cache or self._is_declared(thing, name, now)
        if issubclass(kind, type):
            return any(class_declares_per_process(base, name) for base in mro_of(thing))
        if kind is types.FunctionType:
            return (name == "__code__" or (is_new and is_compiled)) and self._compiles_itself(thing)
        if issubclass(kind, functools.partial):
            return False
        return self._is_own(thing) or (is_new and defines(type(class_attribute(kind, name)), "__get__"))

    def _compiles_itself(self, function: types.FunctionType) -> bool:
        """Return whether a function of the image has new code that is not the program's: some functions are compiled at their first call."""
        owns = self._program.owns
        sent = (each for each in self._program.entities if type(each) is types.FunctionType)
        own_files = {each.__code__.co_filename for each in sent if owns(each.__globals__.get("__name__", ""))}
        is_own = owns(function.__globals__.get("__name__", ""))
        return not is_own and function.__code__.co_filename not in own_files

    def _held_as(self, thing: Any) -> str:
        """Return the name under which a user module or class holds an object; empty if none does."""
        for owner in self._program.entities:
            if issubclass(type(owner), types.ModuleType | type) and (reader := self._reader(owner)) is not None:
                for name, value in reader(owner).items():
                    if value is thing:
                        return name if reader is _module else f"{qualname_of(owner)}.{name}"
        return ""

    def _is_declared(self, module: types.ModuleType, name: str, now: Any) -> bool:
        return type(now) is not Unsent and declares_per_process(vars(module), name, now)

    def _is_known(self, cls: type) -> bool:
        """Return whether the host has the class too, and so would see its registrations."""
        return self._program.made(cls) or not self._program.has(cls)

    def _is_own(self, instance: Any) -> bool:
        """Return whether an instance belongs to each process by declaration."""
        for owner in self._program.entities:
            if issubclass(type(owner), types.ModuleType | type) and (reader := self._reader(owner)) is not None:
                for name, value in reader(owner).items():
                    if value is instance and self._is_fine(owner, name, value, is_new=False):
                        return True
        return False


def _refuse_state(name: str, field: str) -> NoReturn:
    refuse(
        f"the program has changed {_dotted(name, field)} since its package was imported, and the process has it as it was then",
        PACKAGE_STATE_CURE.format(name=name),
    )


def _dotted(name: str, field: str) -> str:
    return f"{name}.{field}" if field else name


def _module(module: types.ModuleType) -> dict[Any, Any]:
    return {**vars(module), "__class__": type(module)}


def _class(cls: type) -> dict[Any, Any]:
    parts: dict[Any, Any] = {
        **namespace_of(cls),
        "__bases__": bases_of(cls),
        "__name__": name_of(cls),
        "__qualname__": qualname_of(cls),
    }
    if issubclass(type(cls), abc.ABCMeta):
        parts |= {known: True for known in (reference() for reference in _get_dump(cls)[0]) if known is not None}
    return parts


def _function(function: Any) -> dict[Any, Any]:
    parts: dict[Any, Any] = {name: getattr(function, name) for name in _OF_FUNCTIONS}
    parts |= vars(function)
    for name, value in (function.__kwdefaults__ or {}).items():
        parts["__kwdefaults__", name] = value
    if "registry" in parts and function.__globals__.get("__name__") == "functools":
        parts |= function.registry
    return parts


def _function_with_cells(function: Any) -> dict[Any, Any]:
    parts = _function(function)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        parts["__closure__", name] = _content(cell)
    return parts


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _ABSENT


def _instance(instance: Any) -> dict[Any, Any]:
    if type(instance) is functools.partial:
        return {"func": instance.func, "args": instance.args, **instance.keywords, **vars(instance)}
    return fields_of(instance, plan_of(type(instance)))


def _is_watched(cls: type) -> bool:
    """Return whether instances of a class consist of their fields alone, and carry no promise."""
    plan = plan_of(cls)
    return not (plan.own_get or plan.own_set or defines(cls, IMPL))


def _name_of(thing: Any, name: Any, held_as: str) -> str:
    kind = type(thing)
    owner: str
    if issubclass(kind, types.ModuleType):
        owner = thing.__name__
    elif issubclass(kind, type):
        owner = shown_name(qualname_of(thing))
    elif kind is types.FunctionType:
        owner = shown_name(thing.__qualname__)
    elif issubclass(kind, enum.Enum):
        owner = f"{qualname_of(kind)}.{thing._name_}"
    else:
        owner = held_as or f"{qualname_of(kind)}(...)"
    if kind in _CONTENTS:
        return owner
    is_class = issubclass(type(name), type)
    return f"{owner}.{name_of(name) if is_class else f'{name[0]}[{name[1]!r}]' if type(name) is tuple else name}"


_CONTENTS: Final[dict[type, _Reader]] = {
    dict: dict.copy,
    list: lambda held: dict(enumerate(held)),
    set: lambda held: dict.fromkeys(held, True),
}
_HOLDERS: Final = frozenset({*_CONTENTS, *_AROUND})
_MOST_CONTAINERS: Final = 1000
"""The most containers of one constant that are recorded."""
