"""The names of a walk: globals, the attributes read from them, modules, and imports inside functions."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.wording import Kind, Leaf

from capsend.codec.instances import defines, is_a
from capsend.shipping.captures.annotations import INTROSPECTION
from capsend.shipping.captures.context import ABSENT, CANNOT_BE_SENT, NOT_IN_IMAGE, Place, Refused
from capsend.shipping.captures.missing import missing_cure, missing_part
from capsend.shipping.captures.origins import Origin, is_placeholder
from capsend.shipping.captures.texts import ASKING
from capsend.shipping.entities import NOT_NAMED
from capsend.shipping.varying import Spot, is_loose, shape_of
from capsend.source.modules import loaded
from capsend.source.references import Read
from capsend.traits.per_process import declares_per_process

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capsend.shipping.captures.protocols import Walk
    from capsend.shipping.entities import Entity, Reference
    from capsend.shipping.varying import Shape
    from capsend.source.references import Import

_ASKED: Final = (
    INTROSPECTION
    | ASKING
    | {
        "__subclasses__",
        "__bound__",
        "__constraints__",
        "__default__",
        "cache_info",
        "has_default",
    }
)
"""The attributes that show that code asks for more than their value, on any object."""
_RUN_TIME: Final = frozenset({"capsend_guest", "capsend_traits", "componentize_py", "wit_world"})
"""The packages that every image has but that are not listed as importable."""
_HOOKS: Final = frozenset({"__dir__", "__getattr__"})
"""The functions of a module that answer for its attributes."""
_MACHINERY: Final = frozenset({"__cached__", "__warningregistry__"})
_HARMLESS: Final = frozenset(
    {
        *("__dict__", "__dir__", "__doc__", "__firstlineno__", "__getattr__", "__init__", "__module__", "__qualname__"),
        *("__reduce__", "__repr__", "__static_attributes__", "__weakref__"),
    }
)
"""Attributes that a class of modules may have, and that code does not read from a module."""
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
    """Reaches the objects that code names."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._modules: dict[int, Entity] = {}
        self._namespaces: list[tuple[dict[str, Any], Entity]] = []
        self._done: set[tuple[int, str, tuple[str, ...], bool]] = set()
        self._taken: set[int] = set()

    def read(self, namespace: dict[str, Any], module: Entity, read: Read, place: Place) -> None:
        """Reach a global of a user module, and the attributes read from the global."""
        context = self._context
        if read.name == "__annotations__":
            self._walk.classes.mention((read.name,), place)
        key = (id(namespace), read.name, read.chain)
        if {(*key, False), (*key, context.tolerant)} & self._done or read.name in _EVERY_MODULE_HAS:
            return
        self._done.add((*key, context.tolerant))
        value = namespace.get(read.name, ABSENT)
        if shape_of(value) is None:
            context.observed.name(namespace, read.name, value)
        if value is ABSENT:
            return  # a built-in, or a missing name: the process fails as the host would
        if is_placeholder(value):
            leaf = Leaf(
                read.name, "placeholder", "it was not sent with the program that spawns", "pass it as an argument"
            )
            context.refuse(Kind.GLOBAL, read.name, "placeholder", [leaf], place)
        elif self._bind(namespace, module, read, value, place):
            self.follow(value, [read], place)

    def _bind(self, namespace: dict[str, Any], module: Entity, read: Read, value: object, place: Place) -> bool:
        context = self._context
        program, values = context.program, self._walk.values
        if is_a(value, types.ModuleType) and read.chain and self._origin(value) is Origin.USER:
            # Only attributes of the module are read, so only those attributes must be sent.
            program.bind(module, read.name, self.module(vars(value)))
            return True
        if program.is_bound(module, read.name) and context.tolerant:
            return True
        if declares_per_process(namespace, read.name, value):
            reference = values.send_copy(value, Kind.GLOBAL, read.name, place)
            program.act(module, "e", module, read.name)
        elif id(namespace) not in self._taken and self._walk.constants.holds(namespace, read.name, value):
            reference = values.send_constant(value, Kind.GLOBAL, read.name, place)
        else:
            reference = values.send(value, Kind.GLOBAL, read.name, place)
        if reference is None:
            context.observed.parts(value)
            program.withhold(module, read.name, context.stays(value, namespace.get("__file__")))
            return False
        program.bind(module, read.name, reference)
        shape = shape_of(value)
        if shape is not None:
            self._may_vary(namespace, module, read.name, value, reference, shape)
        return True

    def _may_vary(
        self,
        namespace: dict[str, Any],
        module: Entity,
        name: str,
        value: object,
        reference: Reference,
        shape: Shape | None,
    ) -> None:
        """Note a global whose plain constant may differ at the next use of the program."""
        observed = self._context.observed
        observe = functools.partial(observed.name, namespace, name, value)
        spot = Spot(module, "names", name, value, reference, shape, namespace, observe)
        self._context.program.may_vary(spot)

    def follow(self, value: Any, reads: Iterable[Read], place: Place) -> None:
        """Follow the attributes that are read from a value whose identity is known."""
        classes = self._walk.classes
        for read in reads:
            classes.mention([name for name in read.chain if name in _ASKED], place)
            if is_a(value, types.ModuleType):
                if not read.chain:
                    continue
                if self._origin(value) is Origin.USER:
                    self._attribute_of_module(value, read, place)
                elif part := missing_part(value.__name__, read.chain[0], self._context.origins):
                    self._refuse_missing(Kind.GLOBAL, part, place)
                continue
            if is_a(value, type):
                classes.construct(value, place)
            if not read.chain:
                continue
            if is_a(value, types.FunctionType):
                self._function_attribute(value, read.chain[0], place)
            else:
                classes.attribute(value if is_a(value, type) else type(value), read.chain[0], place)
            classes.mention(read.chain[1:], place)

    def _attribute_of_module(self, module: types.ModuleType, read: Read, place: Place) -> None:
        inner = attrs.evolve(read, name=read.chain[0], chain=read.chain[1:])
        entity = self.module(vars(module))
        if inner.name not in vars(module):
            cls = next((cls for cls in type(module).__mro__ if inner.name in vars(cls)), types.ModuleType)
            if cls not in types.ModuleType.__mro__:
                path, verdict = (
                    f"{module.__name__}.{inner.name}",
                    f"the class {cls.__qualname__} of its module makes it",
                )
                leaf = Leaf(path, "attribute", verdict, "pass it as an argument", CANNOT_BE_SENT)
                self._context.refuse(Kind.GLOBAL, path, "attribute", [leaf], place)
                return
            inner = attrs.evolve(read, name="__getattr__", chain=())
        self.read(vars(module), entity, inner, place)

    def _function_attribute(self, function: types.FunctionType, name: str, place: Place) -> None:
        value = vars(function).get(name, ABSENT)
        if value is not ABSENT:
            self._walk.functions.attribute(function, name, value, place)

    def module(self, namespace: dict[str, Any]) -> Entity:
        """Return the entity of a user's module, by its namespace; entities of its parent packages are made first."""
        known = self._modules.get(id(namespace))
        if known is not None:
            return known
        name = namespace.get("__name__", "__main__")
        parent = loaded(name.rpartition(".")[0])
        around = None
        if parent is not None and vars(parent) is not namespace and self._origin(parent) is Origin.USER:
            around = self.module(vars(parent))
        module = loaded(name)
        thing = module if module is not None and vars(module) is namespace else namespace
        entity = self._context.program.entity(thing)
        if entity is None:
            spec, path = namespace.get("__spec__"), namespace.get("__path__")
            folders = None if path is None else [str(folder) for folder in path]
            step = (name, namespace.get("__file__"), namespace.get("__package__"), folders, spec is not None, around)
            entity = self._context.program.make(thing, "m", *step)
        self._modules[id(namespace)] = entity
        self._namespaces.append((namespace, entity))
        self._context.observed.order(namespace)
        if is_a(thing, types.ModuleType):
            self._made_by_class(thing, entity)
            if around is not None and parent is not None:
                child = name.rpartition(".")[2]
                if vars(parent).get(child) is not thing:
                    place = self._context.place
                    self._context.possibly(lambda: self.read(vars(parent), around, Read(child, (), 0), place))
        return entity

    def _made_by_class(self, module: types.ModuleType, entity: Entity) -> None:
        """Withhold the module attributes that come from a special module class; refuse a class that changes how modules behave."""
        cls = type(module)
        if cls is types.ModuleType:
            return
        self._context.observed.ancestry_of(module)
        given = {
            name: raw
            for base in cls.__mro__
            if base not in types.ModuleType.__mro__
            for name, raw in vars(base).items()
        }
        acts = [name for name in given if name.startswith("__") and name not in _HARMLESS]
        both = [name for name, raw in given.items() if name in vars(module) and defines(type(raw), "__set__")]
        if acts or both:
            verdict = f"its class {cls.__qualname__} has {(acts + both)[0]}, and in a process modules are plain"
            leaf = Leaf(module.__name__, "module", verdict, "pass its result as an argument", CANNOT_BE_SENT)
            self._context.refuse(Kind.GLOBAL, module.__name__, "module", [leaf], self._context.place)
        for name in given:
            if name not in vars(module) and (not name.startswith("__") or name == "__getattr__"):
                self._context.program.withhold(entity, name, f"the class {cls.__qualname__} of its module makes it")

    def withhold_the_rest(self) -> None:
        """Give the process a placeholder for every name of a module that the program does not mention."""
        program = self._context.program
        for namespace, entity in self._namespaces:
            for name in list(namespace):
                value = namespace.get(name)
                is_own = name in _EVERY_MODULE_HAS or name in _MACHINERY or (name == "__doc__" and value is None)
                if is_own or program.knows(entity, name):
                    continue
                submodule = self._modules.get(id(vars(value))) if is_a(value, types.ModuleType) else None
                if submodule is not None:
                    program.bind(entity, name, submodule)
                    continue
                if is_loose(name, value):
                    reference = program.value(value)
                    program.bind(entity, name, reference)
                    self._may_vary(namespace, entity, name, value, reference, None)
                else:
                    program.withhold(entity, name, NOT_NAMED)

    def module_value(self, module: types.ModuleType) -> Entity:
        """Reach a module used as a value: a module of the image is sent by name, a user module with all names that can be sent.

        Raises:
            Refused: the module is neither in the image nor the user's.
        """
        origin = self._origin(module)
        program = self._context.program
        if origin is Origin.MISSING:
            raise Refused(
                f"the image has no module {module.__name__}",
                missing_cure(module.__name__, self._context.origins),
                NOT_IN_IMAGE,
            )
        if origin is Origin.IMAGE:
            return program.entity(module) or program.make(module, "i", module.__name__)
        entity, place = self.module(vars(module)), self._context.place
        self._context.possibly(lambda: self.take_all(vars(module), place))
        return entity

    def take_all(self, namespace: dict[str, Any], place: Place) -> None:
        """Reach every sendable name of a module, as code may look for any of them."""
        if id(namespace) in self._taken:
            return
        self._taken.add(id(namespace))
        entity = self.module(namespace)
        self._walk.annotations.wait(entity, entity.thing)
        for name in list(namespace):
            if not name.startswith("__") or name in _HOOKS:
                self.read(namespace, entity, Read(name, (), 0), place)

    def statement(self, statement: Import, namespace: dict[str, Any], place: Place) -> None:
        """Reach the module or names that an import statement inside a function will import."""
        name = statement.module
        if statement.level:
            try:
                name = importlib.util.resolve_name("." * statement.level + name, namespace.get("__package__") or "")
            except ImportError:
                return  # it fails in the guest just as in the host
        if self._context.origins.of(name) is Origin.IMAGE or name.partition(".")[0] in _RUN_TIME:
            parts = (missing_part(name, each, self._context.origins) for each in statement.names)
            for part in filter(None, parts):
                self._refuse_missing(Kind.IMPORT, part, place)
            return
        self._context.observed.name(sys.modules, name, sys.modules.get(name, ABSENT))
        if statement.form == "lookup" and name not in sys.modules:
            return
        module = self._imported(name)
        if module is not None:
            self._take(module, statement, place)
        elif statement.form == "lookup" or not self._may_fail(name, statement):
            self._refuse_missing(Kind.IMPORT, name, place)

    def _refuse_missing(self, kind: Kind, name: str, place: Place) -> None:
        cure = missing_cure(name, self._context.origins)
        leaf = Leaf(name, "module", f"the image has no module {name}", cure, NOT_IN_IMAGE)
        self._context.refuse(kind, name, "module", [leaf], place)

    def _may_fail(self, name: str, statement: Import) -> bool:
        """Return whether an import may fail in the process.

        A guarded import may if it fails on the host or is of the standard library; a call that imports may if it fails
        on the host.
        """
        is_standard = name.partition(".")[0] in sys.stdlib_module_names
        if statement.guarded:
            return is_standard or not _exists(name)
        return statement.form == "call" and not _exists(name)

    def _take(self, module: types.ModuleType, statement: Import, place: Place) -> None:
        entity = self.module(vars(module))
        if statement.form != "statement":
            self.module_value(module)
        elif not statement.is_from:
            self._read_from_packages(module.__name__, place)
        for attribute in statement.names:
            if statement.is_from and attribute not in vars(module) and hasattr(module, "__path__"):
                self._imported(f"{module.__name__}.{attribute}")
            submodule = loaded(f"{module.__name__}.{attribute}")
            if submodule is not None and statement.is_from and self._context.program.entity(submodule) is None:
                self.module_value(submodule)
            self.read(vars(module), entity, Read(attribute, (), place.line), place)

    def _read_from_packages(self, name: str, place: Place) -> None:
        """Reach `import a.b as c`: the attribute *b* of *a*, which may differ from the module `a.b`."""
        package, _, child = name.rpartition(".")
        module = loaded(package)
        if module is not None and self._origin(module) is Origin.USER:
            self.read(vars(module), self.module(vars(module)), Read(child, (), place.line), place)
            self._read_from_packages(package, place)

    def _imported(self, name: str) -> types.ModuleType | None:
        """Import, now, a user module that a function imports when it runs, so that the module can be judged."""
        if self._context.origins.of(name) is Origin.MISSING:
            return None
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001 - any exception of a user's module: the process would get the same one
                return None
        module = loaded(name)
        return module if module is not None and self._origin(module) is Origin.USER else None

    def _origin(self, module: types.ModuleType) -> Origin:
        return self._context.origins.of(module.__name__, getattr(module, "__file__", None))


def _exists(name: str) -> bool:
    """Return whether this program could import a module.

    Of modules not yet imported, only parts of the standard library are imported for the answer.
    """
    top = name.partition(".")[0]
    is_light = top in sys.stdlib_module_names or name.rpartition(".")[0] in sys.modules
    try:
        return importlib.util.find_spec(name if is_light else top) is not None
    except ValueError:
        return True  # it was imported by other means
    except (ImportError, AttributeError):
        return False
