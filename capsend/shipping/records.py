"""Records: the host's form of instances whose classes only a process knows."""

from __future__ import annotations

import reprlib
from typing import Any, Final

import attrs

from capsend.codec.expansion import can_be_shown
from capsend.codec.printable import printable

_MOST_PARTS: Final = 100_000
_REPR: Final = reprlib.Repr()
_REPR.maxother = _REPR.maxstring = 200


@attrs.frozen(eq=False, repr=False)
class Record:
    """An instance of a class that source text defined, as data: the class itself stays in the process.

    Two records are equal only if they are the same object; compare their `fields`.

    Attributes:
        name: the qualified name of the class, such as `Point`.
        fields: {name: value} of its attributes; of an enum member its `name` and `value`, of a named tuple its fields.
        content: the built-in value of a class that derives from a built-in one, such as `list`; None for all others.

    Example:
        >>> import capsend
        >>> point = capsend.spawn(capsend.Source('''
        ... class Point:
        ...     def __init__(self, x, y):
        ...         self.x, self.y = x, y
        ... Point(1, 2)
        ... ''')).result()
        >>> point, point.name, point.fields["x"]
        (Point(x=1, y=2), 'Point', 1)
    """

    name: str
    fields: dict[str, Any]
    content: Any = None

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        if not can_be_shown(self.fields, most=_MOST_PARTS) or not can_be_shown(self.content, most=_MOST_PARTS):
            return f"{printable(self.name)}(...)"
        parts = [] if self.content is None else [_REPR.repr(self.content)]
        parts += [f"{printable(name)}={_REPR.repr(value)}" for name, value in self.fields.items()]
        return f"{printable(self.name)}({', '.join(parts)})"
