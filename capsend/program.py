"""A program under construction: the ordered steps from which a process rebuilds modules, functions, classes and values.

A step is a JSON-able list. Steps of the kinds below make an *entity*, numbered from 0 in the order of the steps; others act on entities.
A reference to something is an int (the entity of that number) or a str (a value, as codec text). Handles travel beside the steps; in codec text
`{"h": number}` is the handle of that number.

==================================================  ===============================================================
step                                                what it does
==================================================  ===============================================================
`["m", name, file, package, is_package]`            entity: a module of the user's, empty
`["i", name]`                                       entity: a module of the image
`["n", module, qualified name]`                     entity: a thing of the image, by name
`["f", module, source, qualified name]`             entity: a function; its cells and defaults come by "s"
`["g", module, qualified name]`                     entity: a function made from the image's own code of that name
`["c", module, source, name]`                       entity: a class; executes its statement in the module
`["a", entity, name]`                               entity: an attribute, as it stands in the class's namespace
`["d", function, [[class, function]]]`              entity: a `singledispatch` function and what is registered with it
`["w", function, maxsize, typed]`                   entity: an `lru_cache` around a function
`["p", function]`                                   entity: a `Spawnable` around a function
`["y", value, name]`                                entity: a bound method of a value of a built-in type
`["t", kind, ...]`                                  entity: a type made by a call, see `capsend.typeforms`
`["o"]`                                             entity: an `object()`
`["v", value]`                                      entity: any other value that code must be able to name
`["s", function, defaults, kwdefaults, cells, attributes]`  fill a function
`["b", module, name, reference]`                    bind a global
`["x", class, name, reference]`                     set a class attribute
`["e", module, name]`                                declare a global `PerProcess[...]`
`["q", function, parameter, messages]`                a function's first parameter is its mailbox, for messages of that type, if it is known
`["r", class, class]`                               register a virtual subclass with an abstract class
`["z", class, name, reason]`                        delete a class attribute that stays in the host, and remember why
`["u", module, name, reason]`                       remember that a global stays in the host, and why
==================================================  ===============================================================
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from capsend.guest import codec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.handles import Grant

Reference: TypeAlias = int | str

_MAKERS = frozenset("minfgcawpytvod")


class Program:
    """Steps, the entities that they make, and the grants of the handles that values among them hold."""

    def __init__(self) -> None:
        self.steps: list[list[Any]] = []
        self.objects: list[object] = []
        self.handles: list[Grant] = []
        self._numbers: dict[int, int] = {}
        self._aliases: list[object] = []
        self._handles: dict[int, tuple[object, int]] = {}
        self._bound: dict[tuple[int, str], Reference] = {}

    def extend(self) -> Program:
        """Return a copy to which steps can be added for one call; it begins with no steps of its own."""
        copy = Program()
        copy.objects = list(self.objects)
        copy.handles = list(self.handles)
        copy._handles = dict(self._handles)
        copy._numbers = dict(self._numbers)
        copy._bound = dict(self._bound)
        return copy

    def number(self, thing: object) -> int | None:
        """Return the number of the entity that stands for a thing, if there is one."""
        return self._numbers.get(id(thing))

    def make(self, thing: object, kind: str, *step: Any) -> int:
        """Add a step that makes an entity for a thing, which is kept alive; return its number."""
        assert kind in _MAKERS, kind
        self.steps.append([kind, *step])
        number = len(self.objects)
        self.objects.append(thing)
        self._numbers[id(thing)] = number
        return number

    def alias(self, thing: object, number: int) -> int:
        """Let an entity stand for another thing too, which is kept alive; return its number."""
        self._aliases.append(thing)
        self._numbers[id(thing)] = number
        return number

    def carry(self, thing: object, grant: Grant) -> None:
        """Let the program carry a handle, which is then known by its place among the handles."""
        if id(thing) not in self._handles:
            # The thing is kept alive: its identity must not be used again.
            self._handles[id(thing)] = (thing, len(self.handles))
            self.handles.append(grant)

    def bind(self, module: int, name: str, reference: Reference) -> None:
        """Bind a global, once."""
        if self._bound.get((module, name)) != reference:
            self._bound[module, name] = reference
            self.steps.append(["b", module, name, reference])

    def is_bound(self, module: int, name: str) -> bool:
        """Tell whether a global has a value already."""
        return (module, name) in self._bound

    def act(self, kind: str, *step: Any) -> None:
        """Add a step that makes no entity."""
        self.steps.append([kind, *step])

    def value(self, value: object) -> Reference:
        """Return a reference to a value: its entity if it has one, else its codec text.

        Raises:
            codec.NotEncodable: some part of it cannot be encoded.
        """
        number = self.number(value)
        return number if number is not None else codec.encode(value, externals=self.external)

    def external(self, thing: object) -> dict[str, Any] | None:
        """Name a thing that has an entity; the hook that the codec asks."""
        number = self._numbers.get(id(thing))
        if number is not None:
            return {"p": number}
        handle = self._handles.get(id(thing))
        return None if handle is None else {"h": handle[1]}

    def text(self) -> str:
        """Return the steps as JSON."""
        return json.dumps(self.steps, separators=(",", ":"))

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield (module, qualified name) of everything of the image that the program names."""
        for step in self.steps:
            if step[0] == "n":
                yield step[1], step[2]
