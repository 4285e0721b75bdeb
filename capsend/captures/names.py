"""The names of a walk: globals, the attributes read from them, modules, and imports inside functions."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.wording import Kind, Leaf

from capsend.captures.context import ABSENT, NOT_IN_IMAGE, Place, Refused
from capsend.captures.per_process import declares_per_process
from capsend.judge import type_name
from capsend.origins import Origin, missing_module_cure
from capsend.parts import ATOMS
from capsend.references import Read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capsend.captures import Walk
    from capsend.references import Import

_EVERY_MODULE_HAS: Final = frozenset(
    {
        "__name__",
        "__file__",
        "__package__",
        "__spec__",
        "__builtins__",
        "__debug__",
        "__loader__",
        "__path__",
        "__annotations__",
        "__class__",
    }
)


class Names:
    """Reaches what code names."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._modules: dict[int, int] = {}
        self._namespaces: list[dict[str, Any]] = []
        self._done: set[tuple[int, str, tuple[str, ...]]] = set()

    def read(self, namespace: dict[str, Any], module: int, read: Read, place: Place) -> None:
        """Reach one global of a user's module, and the attributes read from it."""
        key = (id(namespace), read.name, read.chain)
        value = namespace.get(read.name, ABSENT)
        if key in self._done or read.name in _EVERY_MODULE_HAS:
            return
        self._context.observed.append((namespace, read.name, value))
        if value is ABSENT:
            # A built-in, or a name that does not exist: then the process fails as the host would.
            self._done.add(key)
            return
        if not self._context.program.is_bound(module, read.name) and not self._bind(
            namespace, module, read, value, place
        ):
            return
        self._done.add(key)
        self.follow(value, [read], place)

    def _bind(self, namespace: dict[str, Any], module: int, read: Read, value: object, place: Place) -> bool:
        context = self._context
        if isinstance(value, types.ModuleType) and read.chain and self._origin(value) is Origin.USER:
            # Only attributes of the module are read: they are what has to go along.
            context.program.bind(module, read.name, self.module(vars(value)))
            return True
        if declares_per_process(namespace, read.name, value):
            reference = self._walk.values.send_copy(value, Kind.GLOBAL, read.name, place)
            context.program.act("e", module, read.name)
        else:
            reference = self._walk.values.send(value, Kind.GLOBAL, read.name, place)
        if reference is None:
            context.withhold(module, read.name, type_name(type(value)))
            return False
        context.program.bind(module, read.name, reference)
        return True

    def follow(self, value: Any, reads: Iterable[Read], place: Place) -> None:
        """Follow the attributes that are read from a value whose identity is known."""
        classes = self._walk.classes
        for read in reads:
            if isinstance(value, types.ModuleType):
                if read.chain and self._origin(value) is Origin.USER:
                    inner = attrs.evolve(read, name=read.chain[0], chain=read.chain[1:])
                    if inner.name not in vars(value):
                        inner = attrs.evolve(read, name="__getattr__", chain=())
                    self.read(vars(value), self.module(vars(value)), inner, place)
                continue
            if isinstance(value, type):
                classes.construct(value, place)
            if not read.chain:
                continue
            if isinstance(value, types.FunctionType):
                self._function_attribute(value, read.chain[0], place)
            else:
                classes.attribute(value if isinstance(value, type) else type(value), read.chain[0], place)
            classes.mention(read.chain[1:], place)

    def _function_attribute(self, function: types.FunctionType, name: str, place: Place) -> None:
        value = vars(function).get(name, ABSENT)
        if value is not ABSENT and type(value) not in ATOMS:
            self._walk.values.send(value, Kind.ATTACHED, f"{function.__name__}.{name}", place)

    def module(self, namespace: dict[str, Any]) -> int:
        """Return the entity of a user's module, by its namespace; the packages around it come first."""
        known = self._modules.get(id(namespace))
        if known is not None:
            return known
        name = namespace.get("__name__", "__main__")
        parent = sys.modules.get(name.rpartition(".")[0])
        if parent is not None and vars(parent) is not namespace and self._origin(parent) is Origin.USER:
            self.module(vars(parent))
        module = sys.modules.get(name)
        thing = module if module is not None and vars(module) is namespace else namespace
        number = self._context.program.number(thing)
        if number is None:
            step = (name, namespace.get("__file__"), namespace.get("__package__"), "__path__" in namespace)
            number = self._context.program.make(thing, "m", *step)
        self._modules[id(namespace)] = number
        self._namespaces.append(namespace)
        return number

    def namespace_with(self, cls: type) -> dict[str, Any] | None:
        """Return the namespace, of those met, that has a class under its name; a doctest's is not that of the module that it names."""
        return next(
            (n for n in self._namespaces if n.get("__name__") == cls.__module__ and n.get(cls.__qualname__) is cls),
            None,
        )

    def module_value(self, module: types.ModuleType) -> int:
        """Reach a module that is used as a value: the image's goes by name, of the user's all that can go along.

        Raises:
            Refused: it is neither.
        """
        origin = self._origin(module)
        program = self._context.program
        if origin is Origin.MISSING:
            raise Refused(
                f"the image has no module {module.__name__}", missing_module_cure(module.__name__), NOT_IN_IMAGE
            )
        if origin is Origin.IMAGE:
            return program.make(module, "i", module.__name__)
        number, place = self.module(vars(module)), self._context.place
        reads = [Read(name, (), 0) for name in vars(module) if not name.startswith("__")]

        def take() -> None:
            for read in reads:
                self.read(vars(module), number, read, place)

        self._context.possibly(take)
        return number

    def statement(self, statement: Import, namespace: dict[str, Any], place: Place) -> None:
        """Reach what an import statement inside a function will import."""
        name = statement.module
        if statement.level:
            try:
                name = importlib.util.resolve_name("." * statement.level + name, namespace.get("__package__") or "")
            except ImportError:
                return  # it fails inside just as it fails here
        if self._context.origins.of(name) is Origin.IMAGE:
            return
        module = self._imported(name)
        if module is not None:
            self._take(module, statement, place)
        elif not statement.guarded:
            leaf = Leaf(name, "module", f"the image has no module {name}", missing_module_cure(name), NOT_IN_IMAGE)
            self._context.refuse(Kind.IMPORT, name, "module", [leaf], place)

    def _take(self, module: types.ModuleType, statement: Import, place: Place) -> None:
        number = self.module(vars(module))
        for attribute in statement.names:
            submodule = sys.modules.get(f"{module.__name__}.{attribute}")
            if submodule is not None and statement.is_from and self._context.program.number(submodule) is None:
                self.module_value(submodule)
            self.read(vars(module), number, Read(attribute, (), place.line), place)

    def _imported(self, name: str) -> types.ModuleType | None:
        """A function that imports a module of the user's when it runs: it is imported here now, to be judged."""
        if self._context.origins.of(name) is Origin.MISSING:
            return None
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001 - whatever a user's module raises, the process would meet it as well
                return None
        module = sys.modules.get(name)
        return module if module is not None and self._origin(module) is Origin.USER else None

    def annotation(self, namespace: dict[str, Any], module: int, name: str) -> None:
        """What annotations name is only looked at by tools such as dataclasses: names of the image are enough."""
        value = namespace.get(name, ABSENT)
        program = self._context.program
        if value is ABSENT or program.is_bound(module, name):
            return
        number = program.number(value)
        if number is None:
            if isinstance(value, types.ModuleType):
                if self._origin(value) is not Origin.IMAGE:
                    return
                number = program.make(value, "i", value.__name__)
            else:
                named = self._context.origins.name_of(value)
                if named is None:
                    return
                number = program.make(value, "n", *named)
        program.bind(module, name, number)

    def _origin(self, module: types.ModuleType) -> Origin:
        return self._context.origins.of(module.__name__, getattr(module, "__file__", None))
