"""Rebuild a program from its steps: modules under their own names, functions and classes from source, values from codec text.

The steps are described in `capsend.program`, which writes them.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import pathlib
import sys
import types
from typing import TYPE_CHECKING, Any

from capsend import Dir, Mailbox, PerProcess, Spawnable

from . import codec, typeforms
from .compiling import compile_source, nested_in, requalified
from .handles import Handle

if TYPE_CHECKING:
    from collections.abc import Callable

# What types are made of here, no type checker knows.
_per_process: Any = PerProcess
_mailbox: Any = Mailbox
_INTERNAL = ("capsend_guest", "capsend_traits", "wit_world", "componentize_py")
_PUBLIC = ("capsend.mailbox",)


class Program:
    """The entities of one process.

    Attributes:
        entities: what the steps have made, by number.
        unsent: {(module's globals as id, name): reason} of globals that stay in the host.
        handles: what the program carries beside its steps.
        pieces: the source of its functions and classes, as `compile_source` takes it.
        has_parent: whether another process spawned this one, so that the host does not know the entities.
        is_running: whether all of it has been rebuilt, so that what it defines now is new.
    """

    def __init__(self) -> None:
        self.entities: list[Any] = []
        self.unsent: dict[str, str] = {}
        self.handles: list[Any] = []
        self.pieces: list[list[Any]] = []
        self.has_parent = False
        self.is_running = False
        self._numbers: dict[int, int] = {}
        self._values: set[int] = set()
        self._own_modules: set[str] = set()
        self._makers: dict[str, Any] = {
            "m": self._module,
            "i": importlib.import_module,
            "n": _named,
            "f": self._function,
            "g": self._image_function,
            "c": self._class,
            "a": self._attribute,
            "w": lambda function, maxsize, typed: functools.lru_cache(maxsize, typed)(self.entities[function]),
            "p": lambda function: Spawnable(self.get(function)),
            "y": lambda value, name: getattr(self.get(value), name),
            "t": lambda kind, *data: typeforms.MAKERS[kind](*data[:-1], self.get(data[-1])),
            "d": self._dispatch,
            "o": object,
            "v": self._value,
        }
        self._actors: dict[str, Callable[..., None]] = {
            "s": self._fill,
            "b": self._bind,
            "x": self._set,
            "e": self._declare,
            "q": self._takes_mailbox,
            "r": self._register,
            "u": self._remember,
            "z": self._delete,
        }

    def execute(self, steps: list[list[Any]]) -> None:
        """Take all steps in order."""
        makers, actors, entities, numbers = self._makers, self._actors, self.entities, self._numbers
        for kind, *arguments in steps:
            maker = makers.get(kind)
            if maker is None:
                actors[kind](*arguments)
            else:
                thing = maker(*arguments)
                numbers.setdefault(id(thing), len(entities))
                entities.append(thing)

    def get(self, reference: int | str | None) -> Any:
        """Return what a reference stands for."""
        if type(reference) is str:
            return codec.decode(reference, resolve=self.resolve)
        return self.entities[reference] if type(reference) is int else None

    def resolve(self, external: dict[str, Any]) -> Any:
        """Return the thing that a value names; the hook that the codec asks."""
        number = external.get("p")
        return self.entities[number] if number is not None else self.handles[external["h"]]

    def name(self, thing: Any) -> Any:
        """Name a thing for the host: an entity by number, a class nested in one by its path, the image's own by name.

        What is a right to a folder goes as the path that it is: a name, which opens nothing elsewhere.

        Raises:
            NotEncodable: it is an instance of a class that is declared not sendable.
        """
        number = self._numbers.get(id(thing))
        if number is not None:
            # A value may have been changed here in spite of all: only one without any state is the one that the host has.
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
        """Name a class or function by the nearest class around it that is an entity, and the path from there."""
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
        """Name a thing for the host, which knows the entities only of what it has shipped itself."""
        by_name = isinstance(thing, Handle | Dir) or not self.has_parent
        return self.name(thing) if by_name else self.message_name(thing)

    def message_name(self, thing: Any) -> dict[str, Any] | None:
        """Name a class or function for another process or the host: by module and qualified name.

        Raises:
            NotEncodable: it is an instance of a class that is declared not sendable, or a right to a folder.
        """
        if isinstance(thing, Dir):
            raise codec.NotEncodable(thing, thing.__capsend_handle__.refusal)
        _refuse_declared(thing)
        module, qualname = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
        if not isinstance(qualname, str) or not isinstance(module, str) or _find(module, qualname) is not thing:
            return None
        return {"c": _public(module, qualname)}

    def by_name(self, module: str, qualname: str) -> Any:
        """Return what a message from elsewhere names.

        Raises:
            LookupError: this process has nothing of that name.
        """
        found = None if _is_internal(module) else _find(module, qualname)
        if found is None:
            raise LookupError(f"this process has no {module}.{qualname}")
        return found

    def has(self, cls: type) -> bool:
        """Tell whether a class belongs to a module of the user's."""
        return cls.__module__ in self._own_modules

    def _module(self, name: str, file: str | None, package: str | None, is_package: bool) -> types.ModuleType:
        module = types.ModuleType(name)
        vars(module)["__builtins__"] = builtins  # C code that imports looks for it in the caller's globals
        module.__package__ = package
        if file is not None:
            module.__file__ = file
        if is_package:
            module.__path__ = []
        # The first one: libraries that generate code make namespaces that go by the name of the user's module.
        if name not in self._own_modules and (name == "__main__" or name not in sys.modules):
            sys.modules[name] = module
        self._own_modules.add(name)
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
        return module

    def _function(self, module: int, source: list[Any], qualname: str) -> types.FunctionType:
        self.pieces.append(source)
        code = requalified(compile_source(*source), qualname)
        return _make_function(code, vars(self.entities[module]), qualname)

    def _image_function(self, module: str, qualname: str) -> types.FunctionType:
        namespace = vars(importlib.import_module(module))
        parts = qualname.split(".<locals>.")
        code = _look_up(module, parts[0]).__code__
        for part in parts[1:]:
            code = next(
                c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == part.rpartition(".")[2]
            )
        return _make_function(code, namespace, qualname)

    def _class(self, module: int, source: list[Any], name: str) -> Any:
        namespace = vars(self.entities[module])
        before = namespace.get(name, self)
        self.pieces.append(source)
        exec(compile_source(*source), namespace)  # noqa: S102 - the guest is where programs are run
        made = namespace[name]
        if before is not self:
            # An older class of that name: its binding is a step of its own.
            namespace[name] = before
        if isinstance(made, type) and "__firstlineno__" in vars(made):
            setattr(made, "__firstlineno__", source[4])  # noqa: B010 - its statement was compiled alone, and type checkers do not know it
        return made

    def _value(self, reference: int | str) -> Any:
        value = self.get(reference)
        self._values.add(id(value))
        return value

    def _dispatch(self, function: int, registered: list[list[int]]) -> Any:
        made = functools.singledispatch(self.entities[function])
        for cls, implementation in registered:
            made.register(self.entities[cls], self.entities[implementation])
        return made

    def _attribute(self, owner: int, name: str) -> Any:
        for base in self.entities[owner].__mro__:
            if name in vars(base):
                found = vars(base)[name]
                return found.__func__ if isinstance(found, staticmethod | classmethod) else found
        raise AttributeError(name)

    def _fill(
        self, function: int, defaults: Any, kwdefaults: Any, cells: dict[str, Any], attributes: dict[str, Any]
    ) -> None:
        made = self.entities[function]
        made.__defaults__ = self.get(defaults)
        made.__kwdefaults__ = self.get(kwdefaults)
        for name, cell in zip(made.__code__.co_freevars, made.__closure__ or (), strict=True):
            if name in cells:
                cell.cell_contents = self.get(cells[name])
        for name, value in attributes.items():
            setattr(made, name, self.get(value))

    def _bind(self, module: int, name: str, reference: int | str) -> None:
        setattr(self.entities[module], name, self.get(reference))

    def _set(self, owner: int, name: str, reference: int | str) -> None:
        setattr(self.entities[owner], name, self.get(reference))

    def _declare(self, module: int, name: str) -> None:
        vars(self.entities[module]).setdefault("__annotations__", {})[name] = _per_process[Any]

    def _takes_mailbox(self, function: int, parameter: str, messages: Any) -> None:
        self.entities[function].__annotations__ = {parameter: _mailbox[Any if messages is None else self.get(messages)]}

    def _register(self, base: int, cls: int) -> None:
        self.entities[base].register(self.entities[cls])

    def _delete(self, cls: int, name: str, reason: str) -> None:
        if name in vars(self.entities[cls]):
            delattr(self.entities[cls], name)
        self.unsent[name] = reason

    def _remember(self, _module: int, name: str, reason: str) -> None:
        self.unsent[name] = reason


def _is_internal(module: str) -> bool:
    """Tell whether a module is none that programs name things of."""
    return module.startswith(_INTERNAL) or (module.startswith("capsend.") and module not in _PUBLIC)


def _public(module: str, qualname: str) -> list[str]:
    """Return the name under which the host knows a thing."""
    is_shown = module.startswith("capsend.") and qualname in vars(sys.modules["capsend"])
    return ["capsend" if is_shown else module, qualname]


def _has_state(value: Any) -> bool:
    cls: Any = type(value)
    return cls.__eq__ is not object.__eq__ or object.__getstate__(value) is not None


def _make_function(code: types.CodeType, namespace: dict[str, Any], qualname: str) -> types.FunctionType:
    cells = tuple(types.CellType() for _ in code.co_freevars)
    function = types.FunctionType(code, namespace, code.co_name, None, cells)
    function.__qualname__ = qualname
    function.__module__ = namespace["__name__"]
    return function


def _named(module: str, qualname: str) -> Any:
    found = _look_up(module, qualname)
    if found is None:
        raise ImportError(
            f"the image's Python {sys.version.split()[0]} has no {module}.{qualname}; the host's Python has it"
        )
    return found


def _find(module: str, qualname: str) -> Any:
    """Return the thing of that name in a module that is loaded, or None."""
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _refuse_declared(thing: Any) -> None:
    """Refuse what the codec could write and the declarations do not allow, as the host's judge does for arguments."""
    judge: Any = sys.modules.get("capsend.judge")
    refusal = None if judge is None or isinstance(thing, type) else judge.declared_refusal(thing)
    if refusal is not None:
        raise codec.NotEncodable(thing, refusal[0])


def _look_up(module: str, qualname: str) -> Any:
    """Return the thing of that name, or None."""
    found: Any = sys.modules.get(module)
    if found is None:
        try:
            found = importlib.import_module(module)
        except ImportError:
            return None
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
