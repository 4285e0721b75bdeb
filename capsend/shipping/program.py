"""A program under construction: a graph of the entities that a process rebuilds, and its rendering as ordered steps.

A walk makes *entities*, one for each object on the host (by identity), and *fills* them with their parts. Steps are
written only after the walk: `render` orders all entities that the entry reaches, so that everything is made before it
is used, and numbers them in that order. An object that the walk reaches twice is one entity, so names that share a
value on the host share it in the process.

A step is a JSON-able list. A reference is an int (the entity of that number) or a str (a value, as codec text). Handles
travel next to the steps; in codec text `{"p": number}` is the entity and `{"h": number}` the handle of that number.

==================================================  ===============================================================
step                                                effect
==================================================  ===============================================================
`["m", name, file, package, folders, has_spec, around]`  entity: a user's module, empty; the last is that of its package
`["i", name]`                                       entity: a module of the image
`["n", module, qualified name]`                     entity: an object of the image, by name
`["f", module, source, qualified name, cells]`      entity: a function, compiled from its source; with {name: number} of its cells
`["g", module, qualified name]`                     entity: a function made from the image's own code of that name
`["c", parts]`                                      entity: a class, assembled, see `capsend.shipping.captures.anatomy`
`["a", class, name]`                                entity: a method that the machinery of its class makes
`["h", kind, ...]`                                  entity: a descriptor around functions (`staticmethod`, `property`, ...)
`["d", [[class, function]]]`                        entity: a `singledispatch` function and its registry
`["w", function, maxsize, typed, held, counts]`     entity: an `lru_cache` around a function, with what it holds and has counted
`["p", function]`                                   entity: a `Spawnable` around a function
`["y", value, name]`                                entity: a bound method of a value of a built-in type
`["t", kind, ...]`                                  entity: a type made by a call, see `capsend.shipping.captures.type_expressions`
`["l", module, source, name]`                       entity: a type alias; executes its statement in the module
`["o"]`                                             entity: an `object()`
`["v", value, is_interned]`                         entity: any other value
`["I", value, place]`                                entity: an item of a value; those that hold each other are written as one
`["u", name, reason]`                               entity: a placeholder for a value that stays on the host
`["s", function, parts]`                            fill a function: defaults, cells, attributes, annotations
`["b", module, {name: reference}]`                  fill a module; `[reason]` or `[]` for what stays on the host, null for what comes later
`["x", class, {name: reference}, {name: reason}]`   fill a class; the names of the second stay on the host
`["e", module, name]`                               declare a global `PerProcess[...]`
`["E", class, name]`                                a class attribute that a declaration file of the host declares `PerProcess[...]`
`["k", entity]`                                     a value that nobody changes: children get its copy as it is
`["z", entity, {name: reference}, {name: type}, is_entry]`  set the annotations of a function, class or module; fields that have other
                                                    types; whether the class's namespace has them, as before Python 3.14
`["q", function, parameter, messages]`              a function's first parameter is its mailbox, for messages of that type, if it is known
`["r", class, class]`                               register a virtual subclass with an abstract class
`["P", class, is_runtime]`                           complete a protocol once it is filled
`["j", class]`                                        put subclasses into the order in which the host made them
`["O", function]`                                     register an overload of a function
`["L", file, text]`                                 give the source text of a file to `inspect`
`["S", entity, name, {field: digest}, {field: data}, is_own]`  the state that an instance of a package of the image has, see `package_state`
`["D", entity, name, {field: data}]`                  the plain data of an instance of a package of the image that its code may read
`["N", names]`                                        the packages that the host can import and the image lacks
`["H", names]`                                        what the host can import, for a program that imports by computed names
`["=", description]`                                  compare the host's description of all entities with the guest's
==================================================  ===============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from capsend import codec
from capsend.shipping.entities import NOT_NAMED, Entity, Reference
from capsend.shipping.entity_description import describe, is_asked
from capsend.shipping.graph import Fill, Graph
from capsend.shipping.identities import is_interned
from capsend.shipping.varying import LATER, Spot, Varying, Written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_ATOMS: Final = frozenset({type(None), bool, int, float, complex, str, bytes, type(...)})
_AROUND: Final = frozenset("dhpwy")
_FILLERS: Final = {"m": "b", "c": "x", "f": "s", "g": "s"}
_RUNNING: Final = frozenset("lw")
"""The kinds whose steps run code of the program, which reads names."""


class _Cycle(Exception):
    """The value being written is part of another value in progress: the two hold each other.

    Attributes:
        entity: the value in progress that was reached again.
        passed: the values on the way to it.
    """

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.passed: list[Entity] = []


class Program(Graph):
    """A graph and, once rendered, its steps."""

    def __init__(self, base: Program | None = None) -> None:
        super().__init__(base)
        self.steps: list[list[Any]] = []
        self.objects: list[object] = [] if base is None else list(base.objects)
        self.varying: Varying | None = None
        self.written: Written | None = None
        self._waiting: list[Entity] = []
        self._filled: set[Entity] = set()
        self._in_progress: set[Entity] = set()
        self._group: list[Entity] = []
        self._readied: set[Entity] = set()

    def extend(self) -> Program:
        """Return a program that continues this one for a single call; it has no steps at first."""
        program = Program(self)
        # Entities that were never rendered are not part of the copy: rendering one in it would number it for others.
        program.entities = {key: entity for key, entity in self.entities.items() if entity.number is not None}
        program.named_handles = dict(self.named_handles)
        return program

    def external(self, thing: object) -> dict[str, Any] | None:
        """Return the codec's name for an object that has an entity or a handle; the hook of the codec."""
        named = self.shared(thing)
        if named is not None:
            return named
        handle = self.named_handles.get(id(thing))
        return None if handle is None else {"h": handle[1]}

    def encode(self, value: object) -> str:
        """Return a value as codec text in which all objects with an entity are named.

        Raises:
            codec.NotEncodable: some part of the value cannot be encoded.
        """
        shared = self.shared if self.shares(value) else None
        return codec.encode(value, externals=self.external, shared=shared)

    def shares(self, value: object) -> bool:
        """Return whether a value has, or may have, a part that is an entity.

        Instances are not searched: they count as having one, as they are encoded part by part.
        """
        stack: list[Any] = [value]
        seen = {id(value)}
        while stack:
            part = stack.pop()
            inner: Any = ()
            if isinstance(part, dict):
                inner = [*part, *part.values()]
            elif isinstance(part, list | tuple | set | frozenset):
                inner = part
            elif type(part) not in _ATOMS:
                return True
            for each in inner:
                if id(each) in self.entities:
                    return True
                if type(each) not in _ATOMS and id(each) not in seen:
                    seen.add(id(each))
                    stack.append(each)
        return False

    def shared(self, thing: object) -> dict[str, Any] | None:
        """Name a value that is an entity, whatever its class; the value in progress is written by its parts."""
        entity = self.entities.get(id(thing))
        if entity is None:
            return None
        if entity not in self._in_progress:
            return {"p": self._number(entity)}
        if entity.kind == "v" and entity not in self._group:
            raise _Cycle(entity)
        return None

    def render(self, *references: Reference) -> list[int | str]:
        """Order all entities that the references reach into steps.

        Returns:
            The references as steps have them: numbers of entities, and values as codec text.

        Raises:
            codec.NotEncodable: some value cannot be encoded.
        """
        held_back = self._hold_back()
        found = [self._placed(reference) for reference in references]
        for entity in list(self.entities.values()):
            if entity.kind == "m":  # code may import the module
                self._number(entity)
        for entity in self.needed:
            self._number(entity)
        for entity in [*self.fills]:
            if entity.number is not None:  # entities of the program that this one continues
                self._waiting.append(entity)
        self._fill_waiting()
        for step in self.acts:
            if all(part.number is not None for part in step[1:] if isinstance(part, Entity)):
                self.steps.append(self._placed(step))
        self.acts.clear()
        self._fill_waiting()
        self._settle(*held_back)
        for entity in self.entities.values():
            # They refer to the entity itself, whose object must not wait for the garbage collector.
            entity.blame, entity.ready = None, ()
        return found

    def text(self) -> str:
        """Return the rendered steps as JSON."""
        return self.closed(self.first_text(), () if self.written is None else self.written.steps, self.objects)

    def first_text(self) -> str:
        """Return the rendered steps as JSON, without the steps that set varying values and without the closing bracket."""
        last = 0 if self.written is None else len(self.written.steps)
        return codec.dumps(self.steps[: len(self.steps) - last])[:-1]

    def closed(self, first: str, last: Iterable[list[Any]], objects: list[object]) -> str:
        """Return the text of all steps: the first ones, those that set varying values, and the comparison if CAPSEND_COMPARE is set.

        Args:
            first: the first steps, as `first_text` returns them.
            last: the steps that set varying values.
            objects: the host's objects, by the program's numbers.
        """
        is_empty = first.endswith("[")
        steps = [*last, *([] if is_empty else self._comparison(objects))]
        return f"{first}{',' if steps and not is_empty else ''}{codec.dumps(steps)[1:]}"

    def _comparison(self, objects: list[object]) -> list[list[Any]]:
        """Return the step that compares the guest's objects with the host's, where CAPSEND_COMPARE is set."""
        if not is_asked():
            return []
        namespaces = {id(entity.thing) for entity in self.modules()}
        return [["=", describe(objects, namespaces=namespaces)]]

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield (module, qualified name) of every object of the image that the rendered steps name."""
        for step in self.steps:
            if step[0] == "n":
                yield step[1], step[2]

    def _hold_back(self) -> tuple[list[Spot], list[Any]]:
        """Take the places whose constants may vary out of the fills.

        Returns:
            (the places, the spawned function's defaults with places among them).
        """
        spots, defaults = list(self.spots.values()), list[Any]()
        if self.base is not None or any(entity.ready or entity.kind in _RUNNING for entity in self.entities.values()):
            self.fix()
            return [], []
        self.spots.clear()
        held_back = []
        for spot in spots:
            fill = self.fill(spot.owner)
            parts: Any = fill.names if spot.part == "names" else fill.parts.get(spot.part)
            if (
                parts is None
                or (parts.get(spot.key) if isinstance(parts, dict) else parts[spot.key]) is not spot.reference
            ):
                spot.observe()  # the place has another value by now
                continue
            held_back.append(spot)
            if spot.part == "defaults":
                fill.parts["defaults"] = defaults = defaults or list(parts)
                defaults[int(spot.key)] = spot
            elif spot.part == "cells":
                del parts[spot.key]
            else:
                parts[spot.key] = LATER
        for spot in held_back:
            if spot.part == "defaults":
                self.fill(spot.owner).parts.pop("defaults", None)
        return held_back, defaults

    def _settle(self, spots: list[Spot], defaults: list[Any]) -> None:
        """Write the last steps, which set varying constants; a constant made by an earlier step cannot vary."""
        spots = [spot for spot in spots if spot.owner.number is not None]
        if not spots:
            return
        free: list[Spot] = []
        fixed: list[Spot] = []
        for spot in spots:
            is_made = isinstance(spot.reference, Entity) and spot.reference.number is not None
            (fixed if is_made else free).append(spot)
        self._set_fixed(fixed, free, defaults)
        kept = [part if part in free else self._reference(part) for part in defaults]
        self._fill_waiting()
        varying = Varying(free, kept, len(self.objects), self.entities)
        written = varying.write([spot.value for spot in free])
        if written is None:
            self._set_fixed(free, [], defaults)
            return
        self.varying, self.written = varying, written
        self.steps += written.steps
        for value in written.objects:
            self.entities[id(value)].number = len(self.objects)
            self.objects.append(value)

    def _set_fixed(self, spots: list[Spot], free: list[Spot], defaults: list[Any]) -> None:
        """Write the steps of places that do not vary.

        Defaults are set as a whole: with the varying ones if one of them varies.
        """
        for spot in spots:
            spot.observe()
            if spot.part == "names":
                self.steps.append(["b", spot.owner.number, {spot.key: self._placed(spot.reference)}])
            elif spot.part == "cells":
                self.steps.append(["s", spot.owner.number, {"cells": {spot.key: self._placed(spot.reference)}}])
        owner = next((spot.owner for spot in spots if spot.part == "defaults"), None)
        if owner is not None and not any(spot.part == "defaults" for spot in free):
            self.steps.append(["s", owner.number, {"defaults": list(map(self._reference, defaults))}])

    def _reference(self, part: Any) -> Any:
        return self._placed(part.reference if isinstance(part, Spot) else part)

    def _number(self, entity: Entity) -> int:
        if entity.number is None:
            self._write(entity)
        assert entity.number is not None
        return entity.number

    def _placed(self, part: Any) -> Any:
        """Return a part of a step with numbers in place of entities."""
        if isinstance(part, Entity):
            return self._number(part)
        if isinstance(part, dict):
            return {key: self._placed(item) for key, item in part.items()}
        if isinstance(part, list | tuple):
            return [self._placed(item) for item in part]
        return part

    def _write(self, entity: Entity) -> None:
        if entity in self._in_progress:
            raise codec.NotEncodable(entity.thing, "it is made of itself")
        if entity.kind == "v":
            step = self._value_step(entity)
            if entity.number is not None:
                return  # code that the entity needs holds it, and was written first
        else:
            if entity.kind in _AROUND:
                self._withdraw_with_parts(entity)
            self._in_progress.add(entity)
            try:
                step = [entity.kind, *self._placed(entity.parts)]
            finally:
                self._in_progress.discard(entity)
        entity.number = self._append(entity.thing, step)
        self._waiting.append(entity)

    def _withdraw_with_parts(self, entity: Entity) -> None:
        """Withdraw an entity and all entities made around it: they stay on the host too."""
        for part in _entities_in(entity.parts):
            if part.kind in _AROUND:
                self._withdraw_with_parts(part)
            if part.kind == "u":
                self.withdraw(entity, *part.parts)
                return

    def _fill_module(self, entity: Entity, fill: Fill) -> None:
        """Write the names of a module in the host's order."""
        here = entity.thing if isinstance(entity.thing, dict) else vars(entity.thing)
        order = [name for name in here if name in fill.names or name in fill.unsent]
        names: dict[str, Any] = {}
        late: dict[str, Reference] = {}
        for name in dict.fromkeys([*order, *fill.names, *fill.unsent]):
            reference = fill.names.get(name)
            if reference is None:
                reason = fill.unsent[name]
                names[name] = [] if reason == NOT_NAMED else [reason]
            elif reference is LATER:
                names[name] = None
            elif _is_late(reference):
                names[name], late[name] = None, reference
            else:
                names[name] = self._placed(reference)
        self.steps.append(["b", entity.number, names])
        if late:
            self.steps.append(["b", entity.number, self._placed(late)])

    def _fill_names(self, entity: Entity, fill: Fill, kind: str) -> None:
        late = {name: reference for name, reference in fill.names.items() if _is_late(reference)}
        early = {name: reference for name, reference in fill.names.items() if name not in late}
        self.steps.append([kind, entity.number, self._placed(early), dict(fill.unsent)])
        if late:
            self.steps.append([kind, entity.number, self._placed(late), {}])

    def _value_step(self, entity: Entity) -> list[Any]:
        if entity not in self._readied:
            self._readied.add(entity)
            for needed in entity.ready:
                self._make_ready(needed)
        group = [entity]
        while True:
            try:
                return self._values_step(group)
            except codec.NotEncodable as error:
                if entity.blame is None or not entity.blame(error):
                    raise
                return ["u", type(entity.thing).__qualname__, error.reason]
            except _Cycle as cycle:
                if cycle.entity not in group:
                    cycle.passed += group
                    raise
                group += cycle.passed

    def _values_step(self, group: list[Entity]) -> list[Any]:
        """Return the step of the first of some values.

        Values that hold each other are written as one, and further steps take the others out of it.

        Raises:
            _Cycle: these values are part of another value in progress.
            codec.NotEncodable: some value cannot be encoded.
        """
        outer, self._group = self._group, group
        self._in_progress.update(group)
        try:
            whole = group[0].thing if len(group) == 1 else tuple(entity.thing for entity in group)
            text = self.encode(whole)
        finally:
            self._group = outer
            self._in_progress.difference_update(group)
        if len(group) == 1:
            return ["v", text, 1] if is_interned(whole) else ["v", text]
        number = self._append(whole, ["v", text])
        for place, entity in enumerate(group[1:], 1):
            entity.number = self._append(entity.thing, ["I", number, place])
            self._waiting.append(entity)
        return ["I", number, 0]

    def _append(self, thing: object, step: list[Any]) -> int:
        self.objects.append(thing)
        self.steps.append(step)
        return len(self.objects) - 1

    def _make_ready(self, entity: Entity) -> None:
        """Write the entities that code needs when it runs, before a value whose decoding runs the code."""
        stack, seen = [entity], set[Entity]()
        while stack:
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            if current not in self._in_progress:
                self._number(current)
                self._fill_one(current)
            stack += [*_entities_in(current.parts), *self._held(current)]

    def _held(self, entity: Entity) -> Iterator[Entity]:
        fill = self.fills.get(entity)
        if fill is not None:
            yield from _entities_in([*fill.names.values(), fill.parts, fill.acts])

    def _fill_waiting(self) -> None:
        while self._waiting:
            self._fill_one(self._waiting.pop(0))

    def _fill_one(self, entity: Entity) -> None:
        fill = self.fills.get(entity)
        if fill is None or entity in self._filled or entity.number is None:
            return
        self._filled.add(entity)
        parts = {name: part for name, part in fill.parts.items() if name and part}
        kind = _FILLERS.get(entity.kind)
        if kind == "s" and parts:
            self.steps.append(["s", entity.number, self._placed(parts)])
        elif kind == "b" and (fill.names or fill.unsent):
            self._fill_module(entity, fill)
        elif kind == "x" and (fill.names or fill.unsent):
            self._fill_names(entity, fill, kind)
        self.steps += [self._placed(step) for step in fill.acts]


def _is_late(reference: Reference) -> bool:
    """Return whether making a value runs code of the program, so that everything else must be written first."""
    return isinstance(reference, Entity) and reference.number is None and bool(reference.ready)


def _entities_in(parts: Any) -> Iterator[Entity]:
    stack = [parts]
    while stack:
        part = stack.pop()
        if isinstance(part, Entity):
            yield part
        elif isinstance(part, dict):
            stack += part.values()
        elif isinstance(part, list | tuple):
            stack += part
