"""The gauge: every host operation of a process reports the size of its memory, for which wasmtime's C interface cannot be asked.

A component is linked within itself: its modules reach the host's imports through a table that the last module fills. The gauge is one more
module behind that one. It takes the place of the one import, `host`, in the table, and passes every call on to another import,
`gauged-host`, with the size of the memory beside it. The additions are at the end, so that nothing is renumbered.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

IMPORT: Final = "gauged-host"
"""The import that a gauged component has beside `host`: (operation, payload, pages of memory) -> answer."""

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
    """The lowering of the import `host`: the core function that it became, and its options."""

    function: int
    memory: int
    realloc: int


class _Survey:
    """The definitions of a component, counted per kind, and the places of the import and its table."""

    def __init__(self, binary: bytes) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.lowered: _Lowered | None = None
        self.table: int | None = None
        self.filled: list[list[tuple[str, int, int]]] = []
        self._binary = binary
        self._at = 0
        self._host: int | None = None
        parsers: dict[int, Callable[[], None]] = {_ALIAS: self._alias, _CANON: self._canon, _IMPORT: self._import}
        parsers |= {_EXPORT: self._export, _CORE_INSTANCE: self._core_instance}
        position = 8  # behind the magic number and the version
        while position < len(binary):
            self._at = position + 1
            size = self._number()
            section, position = binary[position], self._at + size
            if section == _CORE_MODULE:
                self.counts["core module"] += 1
            elif section == _COMPONENT:
                self.counts["component"] += 1
            elif section in parsers:
                for _ in range(self._number()):
                    parsers[section]()
            elif section in _COUNTED:
                self.counts[_COUNTED[section]] += self._number()

    def slot(self) -> tuple[int, int]:
        """Return (the place of the import in the table, the number of places)."""
        assert self.lowered is not None
        for exports in reversed(self.filled):
            places = {index: int(name) for name, sort, index in exports if sort == 0 and name.isdigit()}
            if any(name == _TABLE for name, _, _ in exports) and self.lowered.function in places:
                return places[self.lowered.function], len(places)
        raise LookupError("the import is not in a table")

    def _number(self) -> int:
        value = shift = 0
        while True:
            byte = self._binary[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def _name(self) -> str:
        size = self._number()
        self._at += size
        return self._binary[self._at - size : self._at].decode()

    def _sort(self) -> str:
        sort = self._number()
        return f"core {self._number()}" if sort == 0 else _SORTS[sort]

    def _core_instance(self) -> None:
        self.counts["core instance"] += 1
        exports = []
        if self._number() == 0:
            self._number()
            for _ in range(self._number()):
                self._name()
                self._number()
                self._number()
        else:
            exports = [(self._name(), self._number(), self._number()) for _ in range(self._number())]
        self.filled.append(exports)

    def _alias(self) -> None:
        sort = self._sort()
        target = self._number()
        self._number()
        if target == 2:  # of a component around this one: two numbers, no name
            self._number()
        elif (self._name(), sort) == (_TABLE, _CORE_TABLE):
            self.table = self.counts[sort]
        self.counts[sort] += 1

    def _canon(self) -> None:
        kind = self._number()
        if kind > 4:
            raise LookupError(f"a canonical function of kind {kind}")
        if kind > _LOWER:  # of a resource
            self._number()
            self.counts[_CORE_FUNC] += 1
            return
        self._number()
        function = self._number()
        options = {}
        for _ in range(self._number()):
            option = self._number()
            options[option] = self._number() if option in {3, 4, 5, 7} else 0
        if kind == _LOWER:
            if function == self._host:
                self.lowered = _Lowered(self.counts[_CORE_FUNC], options[3], options[4])
            self.counts[_CORE_FUNC] += 1
        else:
            self._number()
            self.counts["func"] += 1

    def _import(self) -> None:
        self._number()
        name = self._name()
        sort = self._described()
        if (name, sort) == (_GAUGED, "func"):
            self._host = self.counts[sort]
        self.counts[sort] += 1

    def _export(self) -> None:
        self._number()
        self._name()
        sort = self._sort()
        self._number()
        if self._number():
            self._described()
        self.counts[sort] += 1

    def _described(self) -> str:
        """Return the sort of an import; its type is not of interest."""
        sort = self._sort()
        if sort == "type" and self._number():
            return sort  # any resource
        self._number()
        return sort


def gauge(component: bytes, *, assemble: Callable[[str], bytes]) -> bytes:
    """Return a component whose operation `host` passes on the size of its memory; see `IMPORT`.

    Args:
        component: the component that componentize-py made.
        assemble: turns the text of a module into its binary form.

    Raises:
        LookupError: the component is not linked as it was when this was written.
    """
    survey = _Survey(component)
    lowered, table, counts = survey.lowered, survey.table, survey.counts
    if lowered is None or table is None:
        raise LookupError("there is no such import, or no table for it")
    slot, slots = survey.slot()
    module = assemble(_MODULE.format(slot=slot, slots=slots))
    instance = counts["core instance"]
    parameters = _vector(
        _text("operation") + _byte(_U32), _text("payload") + _byte(_STRING), _text("pages") + _byte(_U32)
    )
    options = _vector(b"\x00", b"\x03" + _leb(lowered.memory), b"\x04" + _leb(lowered.realloc))
    exports = _vector(
        _text("host") + b"\x00" + _leb(counts[_CORE_FUNC]),
        _text("memory") + b"\x02" + _leb(lowered.memory),
        _text(_TABLE) + b"\x01" + _leb(table),
    )
    return b"".join(
        (
            component,
            _section(_TYPE, _vector(b"\x40" + parameters + b"\x00" + _byte(_STRING))),
            _section(_IMPORT, _vector(b"\x00" + _text(IMPORT) + b"\x01" + _leb(counts["type"]))),
            _section(_CANON, _vector(b"\x01\x00" + _leb(counts["func"]) + options)),
            _section(_CORE_MODULE, module),
            _section(
                _CORE_INSTANCE,
                _vector(
                    b"\x01" + exports,
                    b"\x00" + _leb(counts["core module"]) + _vector(_text("") + b"\x12" + _leb(instance)),
                ),
            ),
        )
    )


def _leb(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _byte(value: int) -> bytes:
    return bytes((value,))


def _text(text: str) -> bytes:
    return _leb(len(text)) + text.encode()


def _vector(*items: bytes) -> bytes:
    return _leb(len(items)) + b"".join(items)


def _section(kind: int, content: bytes) -> bytes:
    return _byte(kind) + _leb(len(content)) + content
