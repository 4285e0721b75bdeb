"""The graph of a program under construction: entities, one for each object on the host, and the fill of each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import attrs

from capsend import codec
from capsend.shipping.entities import Entity, Reference
from capsend.shipping.identities import has_no_identity

if TYPE_CHECKING:
    import types
    from collections.abc import Iterator

    from capsend.capabilities.handles import Grant
    from capsend.shipping.varying import Spot


@attrs.define(eq=False)
class Fill:
    """The fill of an entity: names of a module or class, parts of a function, and additional steps."""

    names: dict[str, Reference] = attrs.field(factory=dict)
    unsent: dict[str, str] = attrs.field(factory=dict)
    parts: dict[str, Any] = attrs.field(factory=dict)
    acts: list[list[Any]] = attrs.field(factory=list)


class Graph:
    """Entities with their fills, and the grants of the handles in their values.

    Args:
        base: the graph that this one continues; its entities have been written.
    """

    def __init__(self, base: Graph | None = None) -> None:
        self.base = base
        self.handles: list[Grant] = [] if base is None else list(base.handles)
        self.entities: dict[int, Entity] = {}
        """{id of an object: its entity}."""
        self.fills: dict[Entity, Fill] = {}
        self.named_handles: dict[int, tuple[object, int]] = {}
        """{id of an object: (the object, the index of its grant in `handles`)}."""
        self.acts: list[list[Any]] = []
        """The steps that make no entity and have no owner."""
        self.needed: list[Entity] = []
        self.spots: dict[tuple[Entity, str, str | int], Spot] = {}
        """The places whose plain constants may vary."""
        self.cells: dict[int, tuple[types.CellType, int]] = {} if base is None else dict(base.cells)
        self.asked: set[str] = set() if base is None else set(base.asked)
        """The names by which code asks about entities, so that more of them is sent; see `capsend.shipping.captures.walk.ASKED`."""

    def entity(self, thing: object) -> Entity | None:
        """Return the entity of an object, or None."""
        return self.entities.get(id(thing))

    def classes(self) -> dict[type, Entity]:
        """Return the classes that are assembled in the process, and their entities."""
        return {
            entity.thing: entity
            for entity in self.entities.values()
            if isinstance(entity.thing, type) and entity.kind == "c"
        }

    def make(self, thing: object, kind: str, *parts: Any) -> Entity:
        """Make the entity of an object."""
        entity = self.entities[id(thing)] = Entity(thing, kind, parts)
        return entity

    def alias(self, thing: object, entity: Entity) -> Entity:
        """Make an entity represent another object too, and keep that object alive."""
        self.entities[id(thing)] = entity
        self.fill(entity).parts.setdefault("", []).append(thing)
        return entity

    def cell(self, cell: types.CellType) -> int:
        """Return the number of a cell: functions that share a cell on the host share it in the process."""
        return self.cells.setdefault(id(cell), (cell, len(self.cells)))[1]

    def count_cells(self) -> int:
        """Return the number of cells of all functions."""
        return len(self.cells)

    def withdraw(self, entity: Entity, name: str, reason: str) -> None:
        """Turn an entity into a placeholder: its object stays on the host."""
        entity.kind, entity.parts = "u", (name, reason)

    def carry(self, thing: object, grant: Grant) -> None:
        """Let the program carry a handle, named by its index among the handles."""
        if id(thing) not in self.named_handles:
            # Kept alive: its identity must not be reused.
            self.named_handles[id(thing)] = (thing, len(self.handles))
            self.handles.append(grant)

    def bind(self, owner: Entity, name: str, reference: Reference) -> None:
        """Give a name of a module or class its value."""
        fill = self.fill(owner)
        fill.unsent.pop(name, None)
        fill.names[name] = reference

    def withhold(self, owner: Entity, name: str, reason: str) -> None:
        """Make a name of a module or class a placeholder for a value that stays on the host."""
        if not self.is_bound(owner, name):
            self.fill(owner).unsent[name] = reason

    def is_bound(self, owner: Entity, name: str) -> bool:
        """Return whether a name of a module or class has a value already."""
        fill = self.fills.get(owner)
        return (fill is not None and name in fill.names) or (self.base is not None and self.base.is_bound(owner, name))

    def knows(self, owner: Entity, name: str) -> bool:
        """Return whether a name of a module or class has a value or a placeholder."""
        fill = self.fills.get(owner)
        here = fill is not None and (name in fill.names or name in fill.unsent)
        return here or (self.base is not None and self.base.knows(owner, name))

    def part(self, owner: Entity, name: str, part: Any) -> None:
        """Set one part in the fill of a function."""
        self.fill(owner).parts[name] = part

    def parts(self, owner: Entity) -> dict[str, Any]:
        """Return the parts that a function is filled with so far."""
        fill = self.fills.get(owner)
        return {} if fill is None else fill.parts

    def act(self, owner: Entity | None, kind: str, *parts: Any) -> None:
        """Add a step that makes no entity: after the fill of its owner, or at the end."""
        (self.acts if owner is None else self.fill(owner).acts).append([kind, *parts])

    def need(self, *entities: Entity | None) -> None:
        """Have entities made even if nothing else refers to them."""
        self.needed += filter(None, entities)

    def value(self, value: object) -> Reference:
        """Return the reference to a value; all holders of the same object share it."""
        entity = self.entities.get(id(value))
        if entity is not None:
            return entity
        if has_no_identity(value):
            return codec.encode(value)
        return self.make(value, "v")

    def modules(self) -> Iterator[Entity]:
        """Yield the entities of user modules."""
        yield from (entity for entity in list(self.entities.values()) if entity.kind == "m")

    def functions(self) -> Iterator[Entity]:
        """Yield the entities of user functions."""
        yield from (entity for entity in list(self.entities.values()) if entity.kind == "f")

    def may_vary(self, spot: Spot) -> None:
        """Note a place whose plain constant may differ at the next use of the program."""
        self.spots[spot.owner, spot.part, spot.key] = spot

    def fix(self) -> None:
        """Require the same plain constants, as objects, at every use of the program."""
        for spot in self.spots.values():
            spot.observe()
        self.spots.clear()

    def uses_packages(self) -> bool:
        """Return whether the program names anything of the image outside the standard library."""
        named = (entity.parts[0] for entity in self.entities.values() if entity.kind in {"i", "n"})
        return any(module.partition(".")[0] not in sys.stdlib_module_names for module in named)

    def fill(self, entity: Entity) -> Fill:
        """Return the fill of an entity, empty at first."""
        fill = self.fills.get(entity)
        if fill is None:
            fill = self.fills[entity] = Fill()
        return fill
