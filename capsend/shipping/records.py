"""Records: the host's form of instances whose classes exist only in a process."""

from __future__ import annotations

import reprlib
import threading
from typing import Any, Final

import attrs

from capsend.codec.expansion import can_be_shown
from capsend.codec.printable import printable

_MOST_PARTS: Final = 100_000


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

    def __repr__(self) -> str:
        if not can_be_shown(self.fields, most=_MOST_PARTS) or not can_be_shown(self.content, most=_MOST_PARTS):
            return f"{printable(self.name)}(...)"
        return _REPR.text(self, _REPR.maxlevel)


class _Repr(reprlib.Repr):
    """Shows nested records to a few levels: without a limit the cost would grow with every level."""

    def __init__(self) -> None:
        super().__init__()
        self.maxother = self.maxstring = 200
        self._shown: set[tuple[int, int]] = set()

    def text(self, record: Record, level: int) -> str:
        """Return the text of a record; "..." inside itself."""
        key = (id(record), threading.get_ident())
        if key in self._shown:
            return "..."
        self._shown.add(key)
        try:
            parts = [] if record.content is None else [self.repr1(record.content, level)]
            parts += [f"{printable(name)}={self.repr1(value, level)}" for name, value in record.fields.items()]
        finally:
            self._shown.discard(key)
        return f"{printable(record.name)}({', '.join(parts)})"

    def repr_Record(self, record: Any, level: int) -> str:  # noqa: N802 - the name that reprlib looks for
        """Return the text of a nested record, at most `maxother` characters long."""
        if type(record) is not Record:
            return self.repr_instance(record, level)
        if level <= 0:
            return f"{printable(record.name)}(...)"
        text = self.text(record, level - 1)
        half = (self.maxother - len("...")) // 2
        return text if len(text) <= self.maxother else f"{text[:half]}...{text[-half:]}"


_REPR: Final = _Repr()
