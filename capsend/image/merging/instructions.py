"""The operands of a function's instructions are renumbered: functions, types, globals, tables and element segments.

Most instructions have no operand to renumber. One regular expression skips a run of those and stops after the next
other instruction.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

import attrs

from capsend.engine.binary import Reader, leb, signed_leb
from capsend.image.merging import Unmergeable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LEB: Final = r"[\x80-\xff]*+[\x00-\x7f]"
_ADDRESS: Final = rf"[\x00-\x3f]{_LEB}"  # in the first memory: a larger first byte announces another memory
_PLAIN: Final = "|".join(
    (
        r"[\x00\x01\x05\x0b\x0f\x1a\x1b\x45-\xc4\xd1]",
        r"[\x02-\x04][\x40\x6f-\x7f]",  # blocks without a type, or with a single value
        rf"[\x0c\x0d\x20-\x22\x41\x42]{_LEB}",
        rf"[\x28-\x3e]{_ADDRESS}",
        r"[\x3f\x40]\x00|\xd0[\x6f\x70]|\x1c\x01[\x6f-\x7f]|\x43.{4}|\x44.{8}",
        rf"\xfc(?:[\x00-\x07]|\x0a\x00\x00|\x0b\x00|\x08{_LEB}\x00|\x09{_LEB})",  # data segments keep their numbers
        (
            rf"\xfd(?:[\x00-\x0b\x5c\x5d]{_ADDRESS}|[\x0c\x0d].{{16}}|[\x15-\x22].|[\x54-\x5b]{_ADDRESS}."
            r"|[\x0e-\x14\x23-\x53\x5e-\x7f]|[\x80-\xff]++[\x00-\x7f])"
        ),
    )
)
_OTHER: Final = "|".join(
    (
        rf"[\x10\x12\xd2](?P<function>{_LEB})",
        rf"\x23(?P<read>{_LEB})",
        rf"\x24(?P<written>{_LEB})",
        rf"[\x11\x13](?P<called>{_LEB})(?P<through>{_LEB})",
        r"[\x02-\x04](?P<block>[\x80-\xff]++[\x00-\x3f]|[\x00-\x3f])",
        rf"\x0e(?P<labels>{_LEB})",
        rf"[\x25\x26](?P<table>{_LEB})",
        rf"\xfc[\x0f-\x11](?P<bulk>{_LEB})",
        rf"\xfc\x0c(?P<from_element>{_LEB})(?P<into>{_LEB})",
        rf"\xfc\x0d(?P<dropped>{_LEB})",
        rf"\xfc\x0e(?P<target>{_LEB})(?P<source>{_LEB})",
        r"\Z",
    )
)
_NEXT: Final = re.compile(f"(?:{_PLAIN})*+(?:{_OTHER})".encode("latin-1"), re.DOTALL)


class Renumbering(dict[bytes, bytes]):
    """{old number: new number}, both as LEB128, filled on demand; an old number may be padded."""

    def __init__(self, numbers: Sequence[int], *, encode: Callable[[int], bytes] = leb) -> None:
        super().__init__()
        self._numbers = numbers
        self._encode = encode

    def __missing__(self, old: bytes) -> bytes:
        """Return the new number for *old*, and keep the pair."""
        new = self[old] = self._encode(self._numbers[Reader(old).number()])
        return new


@attrs.frozen
class Numbers:
    """The new numbers of one module, by the old ones."""

    types: Sequence[int]
    functions: Sequence[int]
    tables: Sequence[int]
    globals: Sequence[int]
    elements: Sequence[int]


class Code:
    """Renumbers the functions of one module.

    Attributes:
        written: the old numbers of the globals that the functions set.
    """

    def __init__(self, numbers: Numbers) -> None:
        types, functions = Renumbering(numbers.types), Renumbering(numbers.functions)
        tables, elements = Renumbering(numbers.tables), Renumbering(numbers.elements)
        read, self._written = Renumbering(numbers.globals), Renumbering(numbers.globals)
        self._single = {
            "function": functions,
            "read": read,
            "written": self._written,
            "block": Renumbering(numbers.types, encode=signed_leb),
            "table": tables,
            "bulk": tables,
            "dropped": elements,
        }
        self._pairs = {
            "through": ("called", types, tables),
            "into": ("from_element", elements, tables),
            "source": ("target", tables, tables),
        }

    @property
    def written(self) -> set[int]:
        """The old numbers of the globals that the functions so far set."""
        return {Reader(old).number() for old in self._written}

    def renumber(self, body: bytes) -> bytes:
        """Return the body of a function, without its size, with the new numbers.

        Raises:
            Unmergeable: the body contains an instruction that the merger does not support.
        """
        reader = Reader(body)
        for _ in range(reader.number()):
            reader.number()
            reader.byte()
        out: list[bytes] = []
        start, at, end, single, following = 0, reader.at, len(body), self._single, _NEXT.match
        while at < end:
            found = following(body, at)
            if found is None:
                raise Unmergeable("an instruction that is not known")
            at, kind = found.end(), found.lastgroup
            if kind in single:
                out += body[start : found.start(kind)], single[kind][found[kind]]
                start = at
            elif kind in self._pairs:
                first, firsts, seconds = self._pairs[kind]
                out += body[start : found.start(first)], firsts[found[first]], seconds[found[kind]]
                start = at
            elif kind == "labels":
                labels = _labels(Reader(found[kind]).number() + 1).match(body, at)
                assert labels is not None
                at = labels.end()
        out.append(body[start:])
        return b"".join(out)


@functools.cache
def _labels(count: int) -> re.Pattern[bytes]:
    return re.compile(f"(?:{_LEB}){{{count}}}".encode("latin-1"))
