"""The protocols by which the parts of a walk call each other; each names only the members that others use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import types
    from collections.abc import Iterable, Iterator

    from capsend_traits.wording import Kind

    from capsend.shipping.captures.context import Context, Place
    from capsend.shipping.entities import Entity, Reference
    from capsend.source.locate import Source
    from capsend.source.references import Import, Read, References
    from capsend.traits.judge import TraitName


class Values(Protocol):
    """The values of a walk; see `capsend.shipping.captures.values`."""

    def judge(
        self, value: object, kind: Kind, name: str, place: Place, *, trait: TraitName = ..., held: bool = ...
    ) -> bool:
        """Judge a value; return whether it can be sent."""

    def send(
        self, value: object, kind: Kind, name: str, place: Place, *, trait: TraitName = ..., held: bool = ...
    ) -> Reference | None:
        """Judge a value and send it; return None when the value is refused."""

    def send_copy(self, value: object, kind: Kind, name: str, place: Place) -> Reference | None:
        """Judge and send a value of which each process owns a copy."""

    def send_constant(self, value: object, kind: Kind, name: str, place: Place) -> Reference | None:
        """Judge and send a mutable value that is never changed."""

    def send_or_placeholder(
        self, value: object, kind: Kind, name: str, place: Place, *, trait: TraitName = ...
    ) -> Reference:
        """Send a value if it can be sent, else a placeholder."""

    def placeholder(self, name: str, value: object) -> Entity:
        """Return a placeholder for a value that stays on the host."""


class Functions(Protocol):
    """The functions of a walk; see `capsend.shipping.captures.functions`."""

    def entity(self, function: types.FunctionType) -> Entity:
        """Return the entity of a function."""

    def judge(self, function: types.FunctionType, place: Place) -> None:
        """Judge a function that is reached by name."""

    def attribute(self, function: types.FunctionType, name: str, value: object, place: Place) -> None:
        """Send an attribute of a function."""


class Names(Protocol):
    """The globals and imports of a walk; see `capsend.shipping.captures.names`."""

    def read(self, namespace: dict[str, Any], module: Entity, read: Read, place: Place) -> None:
        """Reach a global of a user module, and the attributes read from the global."""

    def follow(self, value: Any, reads: Iterable[Read], place: Place) -> None:
        """Follow the attributes that are read from a value whose identity is known."""

    def statement(self, statement: Import, namespace: dict[str, Any], place: Place) -> None:
        """Reach the module or names that an import statement inside a function will import."""

    def take_all(self, namespace: dict[str, Any], place: Place) -> None:
        """Reach all names of a module that can be sent."""

    def module(self, namespace: dict[str, Any]) -> Entity:
        """Return the entity of a user's module, by its namespace."""

    def module_value(self, module: types.ModuleType) -> Entity:
        """Reach a module that is used as a value."""


class Classes(Protocol):
    """The classes of a walk; see `capsend.shipping.captures.classes`."""

    def entity(self, cls: type) -> Entity:
        """Return the entity of a class."""

    def alias(self, alias: Any) -> Any:
        """Reach an alias made by a `type` statement."""

    def attribute(self, cls: type, name: str, place: Place) -> None:
        """Reach an attribute of a class, or of its instances, that is read by name."""

    def construct(self, cls: type, place: Place) -> None:
        """Reach everything that makes instances of a class."""

    def mention(self, names: Iterable[str], place: Place) -> None:
        """Note names that are read from an unknown object."""

    def mentioned(self, name: str) -> Place | None:
        """Return the place where a name was noted."""

    def mention_beginnings(self, prefixes: Iterable[str], place: Place) -> None:
        """Note prefixes of attribute names that are read from an unknown object."""

    def mentions(self, names: Iterable[str]) -> bool:
        """Return whether any of these names was noted."""

    def part(self, value: object, place: Place, path: str = ...) -> Reference:
        """Return the reference to a part of a class."""


class Annotations(Protocol):
    """The annotations of a walk; see `capsend.shipping.captures.annotations`."""

    def wait(self, entity: Entity, thing: Any, *, owner: Entity | None = None) -> None:
        """Put off the annotations of a function or class."""


class Constants(Protocol):
    """The constants of the modules of a walk; see `capsend.shipping.captures.constants`.

    Attributes:
        root: the spawned callable.
    """

    root: object

    def holds(self, namespace: dict[str, Any], name: str, value: object) -> bool:
        """Return whether a global is a constant of its module."""

    def holds_attribute(self, cls: type, name: str, value: object, place: Place) -> bool:
        """Return whether an attribute of a class is a constant of its module."""

    def holds_default(self, function: types.FunctionType, name: str, value: object) -> bool:
        """Return whether a default is written in the `def` and only read."""

    def holds_cell(self, function: types.FunctionType, name: str, value: object) -> bool:
        """Return whether a closure variable of a function is a constant."""

    def reached(self, source: Source, references: References, place: Place, *, namespace: dict[str, Any]) -> None:
        """Note a function that the process runs, with its globals."""

    def misused(
        self, function: types.FunctionType, source: Source, references: References
    ) -> Iterator[tuple[str, object, int]]:
        """Yield the constants that a function does more than read."""


class Walk(Protocol):
    """One walk; see `capsend.shipping.captures.walk`."""

    @property
    def context(self) -> Context:
        """The state of the walk."""

    @property
    def values(self) -> Values:
        """Its values."""

    @property
    def functions(self) -> Functions:
        """Its functions."""

    @property
    def names(self) -> Names:
        """Its globals and imports."""

    @property
    def classes(self) -> Classes:
        """Its classes."""

    @property
    def annotations(self) -> Annotations:
        """Its annotations."""

    @property
    def constants(self) -> Constants:
        """The constants of its modules."""
