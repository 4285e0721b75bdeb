"""Rebuild a program from its steps: modules under their own names, functions and classes from source, values from codec text.

The steps are described in `capsend.shipping.program`, which writes them.
"""

from __future__ import annotations

import builtins
import functools
import gc
import importlib
import linecache
import marshal
import pathlib
import sys
import types
import typing
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any, ClassVar

from capsend import Dir, Mailbox, PerProcess, Spawnable, codec
from capsend.shipping import entity_description
from capsend.shipping.captures.constants import HANDED_DOWN
from capsend.source.compiling import compile_source, nested_in, requalified
from capsend.source.importable import give, note_missing
from capsend.source.modules import code_in
from capsend.traits.per_process import note_file

from . import descriptors, type_expressions, unsent
from .assembly import Assembler, keep_field_types
from .changes import Watch
from .handles import Handle
from .imports import SentModule
from .unsent import Unsent

if TYPE_CHECKING:
    from collections.abc import Callable

# The types made in this module have parts that type checkers do not know.
_per_process: Any = PerProcess
_mailbox: Any = Mailbox
_INTERNAL = ("capsend_guest", "capsend_traits", "wit_world", "componentize_py")
_PUBLIC = ("capsend.mailbox", "capsend.mailbox.timers", "capsend.shipping.records", "capsend.source_text.source")


class Program:
    """The entities of one process.

    Attributes:
        entities: the entities made by the steps, by number.
        handles: the handles that the program carries.
        pieces: the source of its functions and classes, as for `compile_source`.
        has_parent: True if another process spawned this one, so that the host has none of the entities.
        is_running: True once the whole program is rebuilt; later definitions are new.
        stand_in: returns the value that represents, in an answer, a value of a class that the host lacks; None if none
            is needed.
        watch: finds changes of the function to what was sent.
    """

    def __init__(self) -> None:
        self.entities: list[Any] = []
        self.handles: list[Any] = []
        self.pieces: list[list[Any]] = []
        self.has_parent = False
        self.is_running = False
        self.stand_in: Callable[[Any], Any] | None = None
        self.watch = Watch(self)
        self._numbers: dict[int, int] = {}
        self._values: set[int] = set()
        self._own_modules: set[str] = set()
        self._cells: dict[int, types.CellType] = {}
        self._code: list[types.CodeType] = []
        unsent.begin()

    @functools.cached_property
    def assembler(self) -> Assembler:
        """The maker of the program's classes."""
        return Assembler(self.get, self.has)

    def execute(self, steps: list[list[Any]]) -> None:
        """Execute all steps in order."""
        makers, actors, entities, numbers = self._makers, self._actors, self.entities, self._numbers
        for kind, *arguments in steps:
            maker = makers.get(kind)
            if maker is None:
                actors[kind](self, *arguments)
            else:
                thing = maker(self, *arguments)
                numbers.setdefault(id(thing), len(entities))
                entities.append(thing)

    def take_code(self, code: str) -> None:
        """Have the next functions made of this code, as `compile` returns it."""
        self._code = [marshal.loads(bytes.fromhex(each)) for each in reversed(code.split(","))]  # noqa: S302 - an image wrote it

    def compile(self, steps: list[list[Any]]) -> str:
        """Compile the functions of these steps, which are executed next; return the code for later processes, empty if there is none."""
        try:
            code = [requalified(compile_source(*step[2]), step[3]) for step in steps if step[0] == "f"]
        except Exception:  # noqa: BLE001 - the function's own step raises it again
            return ""
        self._code = code[::-1]
        return ",".join([marshal.dumps(each).hex() for each in code])

    def get(self, reference: int | str | None) -> Any:
        """Return the entity of a reference."""
        if type(reference) is str:
            return codec.decode(reference, resolve=self.resolve)
        return self.entities[reference] if type(reference) is int else None

    def resolve(self, external: dict[str, Any]) -> Any:
        """Return the object that a value names; a hook of the codec."""
        number = external.get("p")
        return self.entities[number] if number is not None else self.handles[external["h"]]

    def name(self, thing: Any) -> Any:
        """Name an object for the host: an entity by number, a nested class by its path, an object of the image by module and name.

        The right to a folder is named by its path, which opens no folder in another process.

        Raises:
            NotEncodable: the object is an instance of a class that is declared not sendable.
        """
        number = self._numbers.get(id(thing))
        if number is not None and not isinstance(thing, Handle | Dir):
            # The guest may have changed the value nevertheless: only a value without state is equal to the host's.
            return None if id(thing) in self._values and _has_state(thing) else {"p": number}
        if isinstance(thing, Handle):
            return {"h": thing.number}
        if isinstance(thing, Dir):
            return codec.Instead(pathlib.Path(thing))
        _refuse_declared(thing)
        module, qualname = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
        if not isinstance(qualname, str) or not isinstance(module, str):
            return None
        if isinstance(thing, type | types.FunctionType):
            nested = self._nested(thing, module, qualname)
            if nested is not None:
                return nested
        if _look_up(module, qualname) is thing:
            return {"n": _public(module, qualname)}
        return None

    def _nested(self, thing: Any, module: str, qualname: str) -> dict[str, Any] | None:
        """Name a class or function by the nearest enclosing class that is an entity, and the path from there."""
        parts = qualname.split(".")
        for depth in range(len(parts) - 1, 0, -1):
            outer = ".".join(parts[:depth])
            for number, owner in enumerate(self.entities):
                if isinstance(owner, type) and (owner.__module__, owner.__qualname__) == (module, outer):
                    path = ".".join(parts[depth:])
                    if nested_in(owner, path) is thing:
                        return {"p": number, "q": path}
        return None

    def name_for_host(self, thing: Any) -> Any:
        """Name an object for the host, which has only the entities that it has shipped itself."""
        by_name = isinstance(thing, Handle | Dir) or not self.has_parent
        return self.name(thing) if by_name else self.message_name(thing)

    def message_name(self, thing: Any) -> dict[str, Any] | None:
        """Name a class or function for the host or another process: by module and qualified name.

        Raises:
            NotEncodable: the object is an instance of a class that is declared not sendable, or a right to a folder.
        """
        if isinstance(thing, Dir):
            raise codec.NotEncodable(thing, thing.__capsend_handle__.refusal)
        _refuse_declared(thing)
        module, qualname = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
        if not isinstance(qualname, str) or not isinstance(module, str) or _find(module, qualname) is not thing:
            return None
        return {"c": _public(module, qualname)}

    def by_name(self, module: str, qualname: str) -> Any:
        """Return the object that a message of the host or of another process names.

        Raises:
            LookupError: the process has no object of this name.
        """
        found = None if _is_internal(module) else _find(module, qualname)
        if found is None:
            raise LookupError(f"this process has no {module}.{qualname}")
        return found

    def has(self, cls: type) -> bool:
        """Return whether a class belongs to a user module."""
        return cls.__module__ in self._own_modules

    def owns(self, module: str) -> bool:
        """Return whether a module is a user module."""
        return module in self._own_modules

    def forget(self, entities: int) -> set[str]:
        """Forget all entities but the first ones, and all handles: the new host program never sent them.

        Returns:
            The names of the user modules that were rebuilt.
        """
        del self.entities[entities:]
        self.handles.clear()
        self._values.clear()
        self._numbers = {id(thing): number for number, thing in enumerate(self.entities)}
        modules, self._own_modules = self._own_modules, set()
        self.watch = Watch(self)
        return modules

    def made(self, thing: Any) -> bool:
        """Return whether an object is an entity of the program."""
        return id(thing) in self._numbers

    def _module(
        self,
        name: str,
        file: str | None,
        package: str | None,
        folders: list[str] | None,
        has_spec: bool,
        _around: int | None,
    ) -> types.ModuleType:
        module = types.ModuleType(name)
        namespace = vars(module)
        namespace["__builtins__"] = builtins  # C code that imports looks for it in the caller's globals
        namespace["__package__"] = package
        if file is not None:
            namespace["__file__"] = file
        if has_spec:
            loader: Any = SentModule(name)
            module.__loader__ = loader
            spec = module.__spec__ = ModuleSpec(name, loader, origin=file, is_package=folders is not None)
            if folders is not None:
                spec.submodule_search_locations = list(folders)
        if folders is not None:
            module.__path__ = folders
        # The first one: libraries that generate code make namespaces named after the user's module.
        if name not in self._own_modules and (name == "__main__" or name not in sys.modules):
            sys.modules[name] = module
        self._own_modules.add(name)
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
        return module

    def _function(self, module: int, source: list[Any], qualname: str, cells: dict[str, int]) -> types.FunctionType:
        self.pieces.append(source)
        code = self._code.pop() if self._code else requalified(compile_source(*source), qualname)
        closure = tuple(self._cells.setdefault(cells[name], types.CellType()) for name in code.co_freevars)
        return _make_function(code, vars(self.entities[module]), qualname, closure)

    def _image_function(self, module: str, qualname: str) -> types.FunctionType:
        namespace = vars(importlib.import_module(module))
        code = code_in(_look_up(module, qualname.split(".<locals>.", maxsplit=1)[0]), qualname)
        if code is None:
            raise AttributeError(f"{module} has no function {qualname}")
        return _make_function(code, namespace, qualname)

    def _alias(self, module: int, source: list[Any], name: str) -> Any:
        namespace = vars(self.entities[module])
        self.pieces.append(source)
        exec(compile_source(*source), namespace)  # noqa: S102 - the purpose of a guest is to run programs
        return namespace[name]

    def _value(self, reference: str, is_interned: int = 0) -> Any:
        value = self.get(reference)
        self._values.add(id(value))
        return sys.intern(value) if is_interned else value

    def _item(self, value: int, place: int) -> Any:
        item = self.entities[value][place]
        self._values.add(id(item))
        return item

    def _attribute(self, owner: int, name: str) -> Any:
        for base in self.entities[owner].__mro__:
            if name in vars(base):
                found = vars(base)[name]
                return found.__func__ if isinstance(found, staticmethod | classmethod) else found
        raise AttributeError(name)

    def _dispatch(self, registered: list[list[Any]]) -> Any:
        (_, function), *rest = [(self.get(cls), self.get(implementation)) for cls, implementation in registered]
        made: Any = functools.singledispatch(function)
        for cls, implementation in rest:
            made.register(cls, implementation)
        return made

    def _cache(self, function: Any, maxsize: int | None, typed: bool, held: list[list[Any]], counts: list[int]) -> Any:
        target = self.get(function)
        if not held and not counts:
            return functools.lru_cache(maxsize, typed)(target)
        filled = [list(map(self.get, entry)) for entry in held]
        return descriptors.filled_cache(target, maxsize, typed, filled, counts)

    def _fill(self, function: int, parts: dict[str, Any]) -> None:
        made, get = self.entities[function], self.get
        if "defaults" in parts:
            made.__defaults__ = tuple(map(get, parts["defaults"]))
        if "kwdefaults" in parts:
            made.__kwdefaults__ = {name: get(reference) for name, reference in parts["kwdefaults"].items()}
        cells = parts.get("cells", {})
        if cells:
            for name, cell in zip(made.__code__.co_freevars, made.__closure__ or (), strict=True):
                if name in cells:
                    cell.cell_contents = get(cells[name])
        for name, reference in parts.get("attributes", {}).items():
            made.__dict__[name] = get(reference)
        for name, reference in parts.get("names", {}).items():
            setattr(made, name, get(reference))

    def _bind(self, module: int, names: dict[str, Any]) -> None:
        namespace = vars(self.entities[module])
        for name, reference in names.items():
            if reference is None:
                namespace.setdefault(name, None)
            elif type(reference) is not list:
                namespace[name] = self.get(reference)
            else:
                namespace[name] = Unsent(name, *reference)

    def _set(self, owner: int, names: dict[str, Any], unsent_names: dict[str, str]) -> None:
        cls = self.entities[owner]
        for name, reference in names.items():
            type.__setattr__(cls, name, self.get(reference))
        for name, reason in unsent_names.items():
            type.__setattr__(cls, name, Unsent(f"{cls.__qualname__}.{name}", reason))

    def _annotate(self, owner: int, annotations: dict[str, Any], types_: dict[str, Any], is_entry: bool) -> None:
        thing = self.entities[owner]
        made = {name: self.get(reference) for name, reference in annotations.items()}
        if isinstance(thing, dict):
            thing["__annotations__"] = made
            return
        if is_entry:
            # Since 3.14 the interpreter updates an existing entry and makes none.
            gc.get_referents(vars(thing))[0]["__annotations__"] = made
        thing.__annotations__ = made
        if isinstance(thing, type):
            keep_field_types(thing, made | {name: self.get(reference) for name, reference in types_.items()})

    def _set_members(self, owner: int, members: dict[str, dict[str, Any]]) -> None:
        for name, fields in members.items():
            cls = self.entities[owner]
            member = cls.__members__[name] if name in cls.__members__ else cls(int(name))
            for field, reference in fields.items():
                member.__dict__[field] = self.get(reference)

    def _declare(self, module: int, name: str) -> None:
        vars(self.entities[module]).setdefault("__annotations__", {}).setdefault(name, _per_process[Any])

    def _keep_constant(self, value: Any) -> None:
        held = self.get(value)
        HANDED_DOWN[id(held)] = held
        self.watch.constant(held)

    def _takes_mailbox(self, function: int, parameter: str, messages: Any) -> None:
        mailbox = _mailbox[Any if messages is None else self.get(messages)]
        self.entities[function].__annotations__ = {**self.entities[function].__annotations__, parameter: mailbox}

    def _register(self, base: int, cls: int) -> None:
        self.entities[base].register(self.entities[cls])

    def _complete_protocol(self, number: int, is_runtime: bool) -> None:
        cls = self.entities[number]
        # Before the class is filled: the machinery reads it then.
        cls.__protocol_attrs__ = typing._get_protocol_attrs(cls)  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public one
        if is_runtime:
            typing.runtime_checkable(cls)

    def _reorder(self, number: int) -> None:
        cls = self.entities[number]
        cls.__bases__ = cls.__bases__  # moves it to the end of the subclasses of its bases

    def _keep_text(self, file: str, text: str) -> None:
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)

    def _compare(self, description: dict[str, Any]) -> None:
        """Compare the host's description of the sent entities with the guest's description of the rebuilt ones.

        Raises:
            AssertionError: the two differ.
        """
        entity_description.ask()
        difference = entity_description.compare(description, entity_description.describe(self.entities))
        if difference is not None:
            raise AssertionError(f"CAPSEND_COMPARE: the process has rebuilt something else than was sent: {difference}")

    _makers: ClassVar[dict[str, Callable[..., Any]]] = {
        "m": _module,
        "i": lambda _, name: importlib.import_module(name),
        "n": lambda _, module, qualname: _named(module, qualname),
        "f": _function,
        "g": _image_function,
        "a": _attribute,
        "c": lambda program, parts: program.assembler.make(parts),
        "h": lambda program, kind, *parts: descriptors.MAKERS[kind](*map(program.get, parts)),
        "d": _dispatch,
        "w": _cache,
        "p": lambda program, function: Spawnable(program.get(function)),
        "y": lambda program, value, name: getattr(program.get(value), name),
        "t": lambda program, kind, *data: type_expressions.MAKERS[kind](*data[:-1], program.get(data[-1])),
        "l": _alias,
        "o": lambda _: object(),
        "v": _value,
        "I": _item,
        "u": lambda _, *parts: Unsent(*parts),
    }
    """The steps that make an entity, by their kind."""

    _actors: ClassVar[dict[str, Callable[..., None]]] = {
        "s": _fill,
        "b": _bind,
        "x": _set,
        "z": _annotate,
        "M": _set_members,
        "e": _declare,
        "E": lambda program, cls, name: note_file(program.entities[cls], name),
        "k": _keep_constant,
        "q": _takes_mailbox,
        "r": _register,
        "j": _reorder,
        "P": _complete_protocol,
        "O": lambda program, function: typing.overload(program.get(function)),
        "L": _keep_text,
        "H": lambda _, *parts: give(*parts),
        "N": lambda _, *parts: note_missing(*parts),
        "=": _compare,
        "D": lambda program, entity, *rest: program.watch.settings(program.entities[entity], *rest),
        "S": lambda program, entity, *rest: program.watch.package(program.entities[entity], *rest),
    }
    """The steps that change an entity, by their kind."""


def _is_internal(module: str) -> bool:
    """Return whether a module is internal, so that programs name no objects of it."""
    return module.startswith(_INTERNAL) or (module.startswith("capsend.") and module not in _PUBLIC)


def _public(module: str, qualname: str) -> list[str]:
    """Return the host's name for an object: `[module, qualname]`."""
    is_shown = module.startswith("capsend.") and qualname in vars(sys.modules["capsend"])
    return ["capsend" if is_shown else module, qualname]


def _has_state(value: Any) -> bool:
    cls: Any = type(value)
    return cls.__eq__ is not object.__eq__ or object.__getstate__(value) is not None


def _make_function(
    code: types.CodeType, namespace: dict[str, Any], qualname: str, closure: tuple[types.CellType, ...] | None = None
) -> types.FunctionType:
    if closure is None:
        closure = tuple(types.CellType() for _ in code.co_freevars)
    function = types.FunctionType(code, namespace, code.co_name, None, closure)
    if code.co_qualname != qualname:
        function.__qualname__ = qualname
    return function


def _named(module: str, qualname: str) -> Any:
    found = _look_up(module, qualname)
    if found is None:
        raise ImportError(
            f"the image's Python {sys.version.split()[0]} has no {module}.{qualname}; the host's Python has it"
        )
    return found


def _find(module: str, qualname: str) -> Any:
    """Return the object of a name in a loaded module, or None."""
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = None if type(found) is Unsent else getattr(found, part, None)
    return None if type(found) is Unsent else found


def _refuse_declared(thing: Any) -> None:
    """Refuse a value that the codec could encode but a declaration forbids, as the host's judge does for arguments."""
    judge: Any = sys.modules.get("capsend.traits.judge")
    refusal = None if judge is None or isinstance(thing, type) else judge.declared_refusal(thing)
    if refusal is not None:
        raise codec.NotEncodable(thing, refusal[0])


def _look_up(module: str, qualname: str) -> Any:
    """Return the object of a name, or None."""
    found: Any = sys.modules.get(module)
    if found is None:
        try:
            found = importlib.import_module(module)
        except ImportError:
            return None
    for part in qualname.split("."):
        found = None if type(found) is Unsent else getattr(found, part, None)
    return None if type(found) is Unsent else found
