"""Plain constants of a program that may differ at its next use: globals, and cells and defaults of the spawned function.

A loop may spawn closures of one `def` that differ in a number, or count in a global. One walk serves all of them, since
a walk looks only at the type of a plain constant, not at its value. The steps that set such constants are the last of a
program, and only they are written again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from capsend import codec
from capsend.shipping.identities import has_no_identity, is_interned
from capsend.traits.parts import ATOMS

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Mapping, Sequence

    from capsend.shipping.entities import Entity, Reference

LATER: Final = "later"
"""Represents the value of a module's name until the last steps set it."""
MOST_CHARACTERS: Final = 1_024
_MOST_ITEMS: Final = 64
_SHORT: Final = 200
_ABSENT: Final = object()
_OF_ONE_SIZE: Final = frozenset({type(None), bool, int, float, complex})

# The type of a scalar, or those of the items of a tuple.
Shape: TypeAlias = "type | tuple[type, ...]"


def shape_of(value: object) -> Shape | None:
    """Return the shape of a plain constant, on which alone a walk decides; None for long or other values."""
    if type(value) is not tuple:
        return _scalar(value)
    if len(value) > _MOST_ITEMS:
        return None
    types_ = tuple(filter(None, map(_scalar, value)))
    return types_ if len(types_) == len(value) else None


def _scalar(value: object) -> type | None:
    kind = type(value)
    if kind in _OF_ONE_SIZE:
        return kind
    is_short = (kind is str or kind is bytes) and len(value) <= MOST_CHARACTERS  # type: ignore[arg-type]  # it is one of the two
    return kind if is_short else None


def is_loose(name: str, value: object) -> bool:
    """Return whether a global that the program's code does not name is sent: a short atom, or the docstring."""
    if type(value) not in ATOMS:
        return False
    return name == "__doc__" or not isinstance(value, str | bytes) or len(value) <= _SHORT


@attrs.frozen(eq=False)
class Spot:
    """A place in a program that holds a plain constant.

    Attributes:
        owner: the module or function.
        part: its kind: a name of a module, or a cell or a default of the spawned function.
        key: the name, or the index of the default.
        value: the value at the time of the walk.
        reference: the reference to that value.
        shape: the shape that another value must have; None for a name that the code does not mention, where any atom
            will do.
        source: the namespace of the module, or the index of the cell or default.
        observe: called if the value cannot vary after all: notes that it must stay the same object.
    """

    owner: Entity
    part: Literal["names", "cells", "defaults"]
    key: str | int
    value: object = attrs.field(repr=False)
    reference: Reference = attrs.field(repr=False)
    shape: Shape | None
    source: Mapping[str, object] | int = attrs.field(repr=False)
    observe: Callable[[], None] = attrs.field(repr=False)


@attrs.frozen
class Written:
    """The last steps of a program, as written for one use.

    Attributes:
        steps: the steps.
        objects: the values that the steps make, in the order of their numbers.
        values: the values of all places.
        named: the identities of the values that the code names: such a value among the arguments is the same object.
        loose: the identities of the objects that the code does not name.
    """

    steps: list[list[Any]]
    objects: list[object]
    values: list[object]
    named: frozenset[int]
    loose: frozenset[int]


class Varying:
    """The places of a rendered program whose plain constants may vary.

    Args:
        spots: the places; their owners have numbers.
        defaults: the defaults of the spawned function: references as steps have them, and places.
        first: the number of the first value that the last steps make.
        entities: {identity: entity} of the program: a constant made by an earlier step is shared, and cannot vary.
    """

    def __init__(
        self, spots: list[Spot], defaults: Sequence[object], first: int, entities: Mapping[int, Entity]
    ) -> None:
        self._spots = spots
        self._defaults = defaults
        self.first = first
        self._entities = entities  # not a method of the program, which would make a reference cycle
        self._own: frozenset[int] | None = None
        self._before: dict[int, tuple[object, list[Any]]] = {}
        self._last: list[tuple[object, object]] = [(_ABSENT, None)] * len(spots)

    def values(self, function: types.FunctionType | None) -> list[object] | None:
        """Return the present values of all places, the function's cells and defaults included; None if one has another shape."""
        found: list[object] = []
        for spot in self._spots:
            source = spot.source
            value = _held(function, spot) if isinstance(source, int) else source.get(str(spot.key), _ABSENT)
            if value is not spot.value and not (
                is_loose(str(spot.key), value) if spot.shape is None else shape_of(value) == spot.shape
            ):
                return None
            found.append(value)
        return found

    def write(self, values: list[object]) -> Written | None:
        """Write the last steps for some values; None if the values share objects in ways that these steps cannot write."""
        writer = _Writer(self.first, self._is_fixed, self._before)
        references: dict[Spot, object] = {}
        try:
            for spot, value, (last, known) in zip(self._spots, values, self._last, strict=True):
                references[spot] = known if value is last and type(known) is str else writer.reference(value)
        except (_SharedError, codec.NotEncodable):
            return None
        filled: dict[int, dict[str, Any]] = {}
        function: dict[str, Any] = {}
        owner = 0
        for spot, reference in references.items():
            assert spot.owner.number is not None
            if spot.part == "names":
                filled.setdefault(spot.owner.number, {})[str(spot.key)] = reference
                continue
            owner = spot.owner.number
            if spot.part == "cells":
                function.setdefault("cells", {})[spot.key] = reference
        if any(isinstance(part, Spot) for part in self._defaults):
            function["defaults"] = [references[part] if isinstance(part, Spot) else part for part in self._defaults]
        steps = [*writer.steps, *(["b", number, names] for number, names in filled.items())]
        if function:
            steps.append(["s", owner, function])
        named = {id(value) for spot, value in zip(self._spots, values, strict=True) if spot.shape is not None}
        self._last = [*zip(values, references.values(), strict=True)]
        self._before = {id(value): (value, step) for value, step in zip(writer.objects, writer.steps, strict=True)}
        if self._own is None:
            # The values of the first use are entities of the program, which keeps them alive.
            self._own = frozenset(map(id, writer.objects))
        loose = frozenset(map(id, writer.objects)) - named
        return Written(steps, writer.objects, values, frozenset(named), loose)

    def _is_fixed(self, thing: object) -> bool:
        entity = self._entities.get(id(thing))
        return entity is not None and entity.number is not None and not (self._own and id(thing) in self._own)


class _SharedError(Exception):
    """An object is part of more than one value."""


class _Writer:
    """Writes plain constants; each object once.

    Args:
        first: the number of the first object.
        is_fixed: returns whether an earlier step makes an object.
        before: {identity: (object, step)} of the last use: most constants are the same at the next.
    """

    def __init__(
        self, first: int, is_fixed: Callable[[object], bool], before: Mapping[int, tuple[object, list[Any]]]
    ) -> None:
        self.steps: list[list[Any]] = []
        self.objects: list[object] = []
        self.first = first
        self._is_fixed = is_fixed
        self._before = before
        self._numbers: dict[int, int] = {}
        self._parts: set[int] = set()

    def reference(self, value: object) -> object:
        """Return the reference to a value.

        Raises:
            _SharedError: a part of the value is also part of another value.
            codec.NotEncodable: the value cannot be encoded.
        """
        if has_no_identity(value):
            return codec.encode(value)
        known = self._numbers.get(id(value))
        if known is not None:
            return known
        parts = {id(part): part for part in value if not has_no_identity(part)} if type(value) is tuple else {}
        if id(value) in self._parts or any(part in self._parts or part in self._numbers for part in parts):
            raise _SharedError
        if self._is_fixed(value) or any(map(self._is_fixed, parts.values())):
            raise _SharedError
        self._parts |= parts.keys()
        number = self._numbers[id(value)] = self.first + len(self.objects)
        self.objects.append(value)
        same, step = self._before.get(id(value), (None, []))
        if same is not value:
            step = ["v", codec.encode(value), 1] if is_interned(value) else ["v", codec.encode(value)]
        self.steps.append(step)
        return number


def _held(function: types.FunctionType | None, spot: Spot) -> object:
    assert function is not None
    assert isinstance(spot.source, int)
    held: Sequence[Any] = (function.__closure__ if spot.part == "cells" else function.__defaults__) or ()
    try:
        return held[spot.source].cell_contents if spot.part == "cells" else held[spot.source]
    except (IndexError, ValueError):
        return _ABSENT
