"""Modules of a component that call each other, joined into one, with new numbers for functions, globals and tables.

An import that another of the modules exports becomes the exported definition; an import that none exports stays an
import.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from capsend.engine.binary import Reader, leb, section, sections, signed_leb, text, vector
from capsend.image.merging import Unmergeable
from capsend.image.merging.instructions import Code, Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FUNCTION, TABLE, MEMORY, GLOBAL = range(4)
"""The kinds of imports and exports of a module."""

_TYPES, _IMPORTS, _FUNCTIONS, _TABLES, _MEMORIES, _GLOBALS, _EXPORTS, _START, _ELEMENTS, _CODE, _DATA, _DATA_COUNT = (
    range(1, 13)
)
_FUNCTION_TYPE: Final = 0x60
_GLOBAL_GET, _I32_CONST, _I64_CONST, _F32_CONST, _F64_CONST, _I32_ADD, _END = 0x23, 0x41, 0x42, 0x43, 0x44, 0x6A, 0x0B
_FUNCREF: Final = 0x70
_TABLE_OF_IMPORTS: Final = "$imports"
_MUTABLE: Final = 1
_MAGIC: Final = b"\0asm\1\0\0\0"


@attrs.frozen
class Outside:
    """A remaining import of a joined module, by its name."""

    name: str


@attrs.frozen
class Definition:
    """A definition in one of the modules: the module's index, the kind, and the definition's number in the module."""

    module: int
    kind: int
    number: int


Meaning: TypeAlias = "Outside | Definition"


@attrs.frozen
class Import:
    """An import of a module."""

    module: str
    name: str
    form: bytes


class Module:
    """The parts of a module that is to be joined.

    Attributes:
        imports: {kind: [import]}.
        bodies: its functions, without their sizes.
        globals: [(type, the constant expression of the initial value)].
        segments: its initialized memory, as the content of a section; empty if it has none.
    """

    def __init__(self, data: bytes, start: int, end: int) -> None:
        """Read a module within a binary.

        Raises:
            Unmergeable: the module has a section, type or element segment that the merger does not support.
        """
        self.types: list[bytes] = []
        self.imports: dict[int, list[Import]] = {kind: [] for kind in (FUNCTION, TABLE, MEMORY, GLOBAL)}
        self.functions: list[int] = []
        self.tables: list[bytes] = []
        self.memories: list[bytes] = []
        self.globals: list[tuple[bytes, bytes]] = []
        self.exports: dict[str, tuple[int, int]] = {}
        self.elements: list[tuple[bytes, list[int]]] = []
        self.bodies: list[bytes] = []
        self.segments: bytes = b""
        self.segment_count: bytes = b""
        readers: dict[int, Callable[[Reader], None]] = {
            _TYPES: self._type, _IMPORTS: self._import, _FUNCTIONS: lambda reader: self.functions.append(reader.number()),
            _TABLES: lambda reader: self.tables.append(_table(reader)), _MEMORIES: lambda reader: self.memories.append(_limits(reader)),
            _GLOBALS: lambda reader: self.globals.append((reader.taken(2), _expression(reader))), _EXPORTS: self._export,
            _ELEMENTS: self._element, _CODE: lambda reader: self.bodies.append(reader.taken(reader.number())),
        }  # fmt: skip
        for kind, reader, behind in sections(data, start, end):
            if kind in readers:
                for _ in range(reader.number()):
                    readers[kind](reader)
            elif kind == _DATA:
                self.segments = reader.taken(behind - reader.at)
            elif kind == _DATA_COUNT:
                self.segment_count = reader.taken(behind - reader.at)
            elif kind:
                raise Unmergeable(f"a section of kind {kind} in a module")

    def _type(self, reader: Reader) -> None:
        start = reader.at
        if reader.byte() != _FUNCTION_TYPE:
            raise Unmergeable("a type that is no function's")
        for _ in range(2):
            reader.taken(reader.number())
        self.types.append(reader.since(start))

    def _import(self, reader: Reader) -> None:
        module, name, kind, start = reader.name(), reader.name(), reader.byte(), reader.at
        if kind == FUNCTION:
            reader.number()
        elif kind == TABLE:
            _table(reader)
        elif kind == MEMORY:
            _limits(reader)
        elif kind == GLOBAL:
            reader.taken(2)
        else:
            raise Unmergeable(f"an import of kind {kind}")
        self.imports[kind].append(Import(module, name, reader.since(start)))

    def _export(self, reader: Reader) -> None:
        name, kind, number = reader.name(), reader.byte(), reader.number()
        self.exports[name] = kind, number

    def _element(self, reader: Reader) -> None:
        kind = reader.number()
        if kind not in {0, 2}:
            raise Unmergeable("elements that are not put into a table at once")
        if kind and reader.number() != 0:
            raise Unmergeable("elements of a second table")
        offset = _expression(reader)
        if kind and reader.byte() != 0:
            raise Unmergeable("elements that are no functions")
        self.elements.append((offset, [reader.number() for _ in range(reader.number())]))

    @property
    def stands_apart(self) -> bool:
        """True for the two modules through which the others reach the host; they share a separate table."""
        return _TABLE_OF_IMPORTS in self.exports or any(
            entry.name == _TABLE_OF_IMPORTS for entry in self.imports[TABLE]
        )

    @property
    def only_fills(self) -> bool:
        """True if no module can call this module's functions: it only puts functions of others into the table."""
        own = len(self.imports[FUNCTION])
        return not self.exports and all(number < own for _, numbers in self.elements for number in numbers)


def _limits(reader: Reader) -> bytes:
    start = reader.at
    flags = reader.byte()
    if flags > 1:
        raise Unmergeable("a memory or table that is shared, or of 64 bits")
    for _ in range(flags + 1):
        reader.number()
    return reader.since(start)


def _table(reader: Reader) -> bytes:
    start = reader.at
    if reader.byte() != _FUNCREF:
        raise Unmergeable("a table of other things than functions")
    _limits(reader)
    return reader.since(start)


def _expression(reader: Reader) -> bytes:
    """Read a constant expression, without its end."""
    start = reader.at
    while (code := reader.byte()) != _END:
        if code == _GLOBAL_GET:
            reader.number()
        elif code in {_I32_CONST, _I64_CONST}:
            reader.signed()
        elif code in {_F32_CONST, _F64_CONST}:
            reader.taken(4 if code == _F32_CONST else 8)
        elif code != _I32_ADD:
            raise Unmergeable("a constant expression that is not known")
    return reader.data[start : reader.at - 1]


class Joining:
    """Several modules being joined into one.

    Args:
        modules: the modules to join, in the order of their instantiation.
        links: for each of them, {(module, name): meaning} of its imports.
    """

    def __init__(self, modules: Sequence[Module], links: Sequence[Mapping[tuple[str, str], Meaning]]) -> None:
        self._modules = modules
        self._links = links
        self._live = [not module.only_fills for module in modules]
        self._types: dict[bytes, int] = {}
        self._imports: dict[Outside, tuple[int, bytes]] = {}
        self._starts: dict[int, list[int]] = {}
        for module in modules:
            for form in module.types:
                self._types.setdefault(form, len(self._types))
        for place, module in enumerate(modules):
            self._find_imports(place, module)
        own: dict[int, Callable[[Module], int]] = {
            FUNCTION: lambda module: len(module.functions) if not module.only_fills else 0,
            TABLE: lambda module: len(module.tables),
            MEMORY: lambda module: len(module.memories),
            GLOBAL: lambda module: len(module.globals),
        }
        for kind, count in own.items():
            before = len(self._imports) if kind == FUNCTION else 0
            self._starts[kind] = list(itertools.accumulate(map(count, modules), initial=before))

    @property
    def outside(self) -> list[str]:
        """The names of the joined module's imports; each is a function of the unnamed module."""
        return [entry.name for entry in self._imports]

    def join(self, exports: Mapping[str, Definition]) -> bytes:
        """Return the joined module.

        Args:
            exports: {name: definition} of all its exports.

        Raises:
            Unmergeable: a module needs something that the merger does not support.
        """
        written: set[int] = set()
        bodies = [body for place in range(len(self._modules)) for body in self._code(place, written)]
        parts = {
            _TYPES: vector(self._types),
            _IMPORTS: vector(b"\0" + text(entry.name) + b"\0" + form for entry, (_, form) in self._imports.items()),
            _FUNCTIONS: vector(
                leb(self._types[module.types[number]]) for module in self._running() for number in module.functions
            ),
            _TABLES: vector(self._only("tables")),
            _MEMORIES: vector(self._only("memories")),
            _GLOBALS: vector(self._globals(written)),
            _EXPORTS: vector(
                text(name) + bytes((entry.kind,)) + leb(self._number(entry)) for name, entry in exports.items()
            ),
            _ELEMENTS: vector(self._elements()),
            _DATA_COUNT: b"",
            _CODE: vector(leb(len(body)) + body for body in bodies),
            _DATA: b"",
        }
        parts |= self._data()
        return _MAGIC + b"".join(section(kind, content) for kind, content in parts.items() if content)

    def _running(self) -> list[Module]:
        return [module for module, live in zip(self._modules, self._live, strict=True) if live]

    def _find_imports(self, place: int, module: Module) -> None:
        needed = None if self._live[place] else {number for _, numbers in module.elements for number in numbers}
        for number, entry in enumerate(module.imports[FUNCTION]):
            if needed is not None and number not in needed:
                continue
            meaning = self._meaning(Definition(place, FUNCTION, number))
            if isinstance(meaning, Outside):
                form = leb(self._types[module.types[Reader(entry.form).number()]])
                if self._imports.setdefault(meaning, (len(self._imports), form))[1] != form:
                    raise Unmergeable("an import of two types")

    def _meaning(self, entry: Definition) -> Meaning:
        """Follow imports to a definition, or to an import of the joined module."""
        while True:
            imported = self._modules[entry.module].imports[entry.kind]
            if entry.number >= len(imported):
                return entry
            wanted = imported[entry.number]
            found = self._links[entry.module].get((wanted.module, wanted.name))
            if found is None or (isinstance(found, Definition) and found.kind != entry.kind):
                raise Unmergeable(f"no module provides the import {wanted.module}.{wanted.name}")
            if isinstance(found, Outside):
                return found
            entry = found

    def _number(self, entry: Definition) -> int:
        """Return the new number of a definition or import of a module."""
        meaning = self._meaning(entry)
        if isinstance(meaning, Outside):
            if meaning not in self._imports or entry.kind != FUNCTION:
                raise Unmergeable(f"the import {meaning.name} is no function")
            return self._imports[meaning][0]
        own = meaning.number - len(self._modules[meaning.module].imports[meaning.kind])
        return self._starts[meaning.kind][meaning.module] + own

    def _numbers(self, place: int, kind: int, own: int) -> list[int]:
        count = len(self._modules[place].imports[kind]) + own
        return [self._number(Definition(place, kind, number)) for number in range(count)]

    def _code(self, place: int, written: set[int]) -> list[bytes]:
        module = self._modules[place]
        if not self._live[place]:
            return []
        if set(self._numbers(place, MEMORY, len(module.memories))) - {0}:
            raise Unmergeable("a second memory")
        globals_ = self._numbers(place, GLOBAL, len(module.globals))
        elements = sum(len(before.elements) for before in self._modules[:place])
        code = Code(
            Numbers(
                types=[self._types[form] for form in module.types],
                functions=self._numbers(place, FUNCTION, len(module.functions)),
                tables=self._numbers(place, TABLE, len(module.tables)),
                globals=globals_,
                elements=range(elements, elements + len(module.elements)),
            )
        )
        bodies = [code.renumber(body) for body in module.bodies]
        written.update(globals_[number] for number in code.written)
        return bodies

    def _only(self, kind: str) -> list[bytes]:
        found: list[bytes] = [form for module in self._modules for form in getattr(module, kind)]
        if len(found) > 1:
            raise Unmergeable(f"several {kind}")
        return found

    def _globals(self, written: set[int]) -> list[bytes]:
        """Return the globals; a global that the code never sets becomes a constant, which the compiler inlines."""
        found: list[bytes] = []
        for place, module in enumerate(self._modules):
            for kind, value in module.globals:
                mutable = kind[1] & _MUTABLE if len(found) in written else 0
                found.append(kind[:1] + bytes((mutable,)) + self._value(place, value) + bytes((_END,)))
        return found

    def _value(self, place: int, expression: bytes) -> bytes:
        """Return a constant expression as a single constant: only with constants can a table be filled on first use."""
        reader, stack = Reader(expression), list[int]()
        while reader.at < len(expression):
            code = reader.byte()
            if code == _I32_CONST:
                stack.append(reader.signed())
            elif code == _I32_ADD:
                stack.append(stack.pop() + stack.pop())
            elif code == _GLOBAL_GET:
                meaning = self._meaning(Definition(place, GLOBAL, reader.number()))
                if isinstance(meaning, Outside):
                    raise Unmergeable("an imported global")
                module = self._modules[meaning.module]
                _, value = module.globals[meaning.number - len(module.imports[GLOBAL])]
                found = self._value(meaning.module, value)
                if found[0] != _I32_CONST:
                    raise Unmergeable("an address that is no number of 32 bits")
                stack.append(Reader(found, 1).signed())
            else:
                return expression
        wrapped = (stack[0] + (1 << 31)) % (1 << 32) - (1 << 31)
        return bytes((_I32_CONST,)) + signed_leb(wrapped)

    def _elements(self) -> list[bytes]:
        found = []
        for place, module in enumerate(self._modules):
            for offset, functions in module.elements:
                numbers = [leb(self._number(Definition(place, FUNCTION, number))) for number in functions]
                found.append(b"\0" + self._value(place, offset) + bytes((_END,)) + vector(numbers))
        return found

    def _data(self) -> dict[int, bytes]:
        found = [module for module in self._modules if module.segments]
        if len(found) > 1:
            raise Unmergeable("several modules with data")
        return {_DATA_COUNT: found[0].segment_count, _DATA: found[0].segments} if found else {}
