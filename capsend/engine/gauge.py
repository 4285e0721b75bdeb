"""The gauge: every host operation of a process reports the size of its memory, which wasmtime's C interface does not show.

A component is linked internally: its modules reach the host's imports through a table that its last module fills. The
gauge is one more module after that one. It replaces the import `host` in the table, and forwards every call to another
import, `gauged-host`, together with the size of the memory. The additions are at the end, so that existing definitions
keep their numbers.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

import attrs

from capsend.engine.binary import leb, section, sections, text, vector

if TYPE_CHECKING:
    from collections.abc import Callable

IMPORT: Final = "gauged-host"
"""The import that a gauged component has in addition to `host`: (operation, payload, pages of memory) -> answer."""

PAGE: Final = 65_536
_GAUGED: Final = "host"
_TABLE: Final = "$imports"

# Sections of the binary format of components, and the kinds that they define.
_CORE_MODULE, _CORE_INSTANCE, _COMPONENT, _INSTANCE, _ALIAS, _TYPE, _CANON, _IMPORT, _EXPORT = (
    1,
    2,
    4,
    5,
    6,
    7,
    8,
    10,
    11,
)
_CORE_FUNC, _CORE_TABLE = "core 0", "core 1"
_SORTS: Final = {1: "func", 2: "value", 3: "type", 4: "component", 5: "instance"}
_COUNTED: Final = {_CORE_INSTANCE: "core instance", _INSTANCE: "instance", _TYPE: "type"}
_LOWER: Final = 1
_U32, _STRING = 0x79, 0x73

_MODULE: Final = """
(module
  (import "" "host" (func $host (param i32 i32 i32 i32 i32)))
  (import "" "memory" (memory 0))
  (import "" "$imports" (table {slots} funcref))
  (func $gauged (param $operation i32) (param $text i32) (param $size i32) (param $answer i32)
    (call $host (local.get $operation) (local.get $text) (local.get $size) (memory.size) (local.get $answer)))
  (elem (i32.const {slot}) func $gauged))
"""


@attrs.frozen
class _Lowered:
    """The lowering of the import `host`: its core function and its options."""

    function: int
    memory: int
    realloc: int


class _Survey:
    """The definitions of a component, counted per kind, and the places of the import and of its table."""

    def __init__(self, binary: bytes) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.lowered: _Lowered | None = None
        self.table: int | None = None
        self.filled: list[list[tuple[str, int, int]]] = []
        self._host: int | None = None
        parsers: dict[int, Callable[[], None]] = {_ALIAS: self._alias, _CANON: self._canon, _IMPORT: self._import}
        parsers |= {_EXPORT: self._export, _CORE_INSTANCE: self._core_instance}
        for kind, reader, _ in sections(binary):
            self._reader = reader
            if kind == _CORE_MODULE:
                self.counts["core module"] += 1
            elif kind == _COMPONENT:
                self.counts["component"] += 1
            elif kind in parsers:
                for _ in range(reader.number()):
                    parsers[kind]()
            elif kind in _COUNTED:
                self.counts[_COUNTED[kind]] += reader.number()

    def slot(self) -> tuple[int, int]:
        """Return (the index of the import in the table, the length of the table)."""
        assert self.lowered is not None
        for exports in reversed(self.filled):
            places = {index: int(name) for name, sort, index in exports if sort == 0 and name.isdigit()}
            if any(name == _TABLE for name, _, _ in exports) and self.lowered.function in places:
                return places[self.lowered.function], len(places)
        raise LookupError("the import is not in a table")

    def _sort(self) -> str:
        sort = self._reader.number()
        return f"core {self._reader.number()}" if sort == 0 else _SORTS[sort]

    def _core_instance(self) -> None:
        self.counts["core instance"] += 1
        exports = []
        if self._reader.number() == 0:
            self._reader.number()
            for _ in range(self._reader.number()):
                self._reader.name()
                self._reader.number()
                self._reader.number()
        else:
            exports = [
                (self._reader.name(), self._reader.number(), self._reader.number())
                for _ in range(self._reader.number())
            ]
        self.filled.append(exports)

    def _alias(self) -> None:
        sort = self._sort()
        target = self._reader.number()
        self._reader.number()
        if target == 2:  # of an enclosing component: two numbers, no name
            self._reader.number()
        elif (self._reader.name(), sort) == (_TABLE, _CORE_TABLE):
            self.table = self.counts[sort]
        self.counts[sort] += 1

    def _canon(self) -> None:
        kind = self._reader.number()
        if kind > 4:
            raise LookupError(f"a canonical function of kind {kind}")
        if kind > _LOWER:  # of a resource
            self._reader.number()
            self.counts[_CORE_FUNC] += 1
            return
        self._reader.number()
        function = self._reader.number()
        options = {}
        for _ in range(self._reader.number()):
            option = self._reader.number()
            options[option] = self._reader.number() if option in {3, 4, 5, 7} else 0
        if kind == _LOWER:
            if function == self._host:
                self.lowered = _Lowered(self.counts[_CORE_FUNC], options[3], options[4])
            self.counts[_CORE_FUNC] += 1
        else:
            self._reader.number()
            self.counts["func"] += 1

    def _import(self) -> None:
        self._reader.number()
        name = self._reader.name()
        sort = self._described()
        if (name, sort) == (_GAUGED, "func"):
            self._host = self.counts[sort]
        self.counts[sort] += 1

    def _export(self) -> None:
        self._reader.number()
        self._reader.name()
        sort = self._sort()
        self._reader.number()
        if self._reader.number():
            self._described()
        self.counts[sort] += 1

    def _described(self) -> str:
        """Read the description of an import and return its sort."""
        sort = self._sort()
        if sort == "type" and self._reader.number():
            return sort  # any resource
        self._reader.number()
        return sort


def gauge(component: bytes, *, assemble: Callable[[str], bytes]) -> bytes:
    """Return a component whose operation `host` also reports the size of its memory; see `IMPORT`.

    Args:
        component: a component made by componentize-py.
        assemble: converts the text of a module to its binary form.

    Raises:
        LookupError: the component is linked in a way that this module does not support.
    """
    survey = _Survey(component)
    lowered, table, counts = survey.lowered, survey.table, survey.counts
    if lowered is None or table is None:
        raise LookupError("there is no such import, or no table for it")
    slot, slots = survey.slot()
    module = assemble(_MODULE.format(slot=slot, slots=slots))
    instance = counts["core instance"]
    parameters = vector(
        [text("operation") + bytes((_U32,)), text("payload") + bytes((_STRING,)), text("pages") + bytes((_U32,))]
    )
    options = vector([b"\x00", b"\x03" + leb(lowered.memory), b"\x04" + leb(lowered.realloc)])
    exports = vector(
        [
            text("host") + b"\x00" + leb(counts[_CORE_FUNC]),
            text("memory") + b"\x02" + leb(lowered.memory),
            text(_TABLE) + b"\x01" + leb(table),
        ]
    )
    return b"".join(
        (
            component,
            section(_TYPE, vector([b"\x40" + parameters + b"\x00" + bytes((_STRING,))])),
            section(_IMPORT, vector([b"\x00" + text(IMPORT) + b"\x01" + leb(counts["type"])])),
            section(_CANON, vector([b"\x01\x00" + leb(counts["func"]) + options])),
            section(_CORE_MODULE, module),
            section(
                _CORE_INSTANCE,
                vector(
                    [
                        b"\x01" + exports,
                        b"\x00" + leb(counts["core module"]) + vector([text("") + b"\x12" + leb(instance)]),
                    ]
                ),
            ),
        )
    )
