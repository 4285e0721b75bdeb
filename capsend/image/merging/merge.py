"""The core modules of an image are merged into one, so that a process starts in a fraction of the time.

componentize-py links an image from a dozen modules that share one table of functions. If one module has the table and
others fill it, wasmtime must make every function reference at each instantiation. If a module fills its own table, the
references are made on use. Two modules stay separate: the one through which the others reach the host before there is a
memory, and the one that completes it afterwards.
"""

from __future__ import annotations

import collections
import itertools
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from capsend.engine.binary import HEADER, Reader, leb, section, sections, text, vector
from capsend.image.merging import Unmergeable
from capsend.image.merging.modules import FUNCTION, MEMORY, Definition, Joining, Module, Outside

if TYPE_CHECKING:
    from capsend.image.merging.modules import Meaning

_CORE_MODULE, _CORE_INSTANCE, _CORE_TYPE, _ALIAS, _CANON, _START = 1, 2, 3, 6, 8, 9
_CORE, _EXPORTED, _OUTER = 0, 1, 2
_INSTANCE: Final = 0x12
_LIFT, _LOWER, _RESOURCE_REP = 0, 1, 4
_PLAIN: Final = frozenset((0, 1, 2))
_NAMING: Final = {3: MEMORY, 4: FUNCTION, 5: FUNCTION}
"""{option of a canonical function: the sort of its operand}; the options without an operand are text encodings."""

_Export: TypeAlias = "tuple[int, str]"
"""An export of a module's instance: the number of the instance, and the name."""

_Symbol: TypeAlias = "_Export | int"
"""A core function, table or memory: an export, or a canonical function given by its number."""


@attrs.frozen
class _Instance:
    """An instance of a module, with the instances for its imports; or a bundle of other instances' exports."""

    module: int = -1
    given: dict[str, int] = attrs.Factory(dict)
    bundle: dict[str, tuple[int, int]] = attrs.Factory(dict)


@attrs.frozen
class _Canonical:
    """A canonical function.

    Attributes:
        before: its definition, up to the core function that it lifts.
        core: the number of that core function, or None.
        options: [(option, number of its operand)]; the number is None for an option without one.
        behind: the rest of the definition.
        symbol: its number among the canonical functions that make a core function; None if it lifts one.
    """

    before: bytes
    core: int | None = None
    options: list[tuple[int, int | None]] | None = None
    behind: bytes = b""
    symbol: int | None = None

    def named(self) -> list[tuple[int, int]]:
        """Return [(sort, number)] of all its operands."""
        found = [(_NAMING[option], number) for option, number in self.options or () if number is not None]
        return found if self.core is None else [*found, (FUNCTION, self.core)]


@attrs.frozen
class _Step:
    """One step of the component, in order: an unchanged section, an instance of a module, or a canonical function."""

    kept: bytes = b""
    instance: int | None = None
    canonical: _Canonical | None = None


class _Linked:
    """The links of a component's modules.

    Attributes:
        modules: (first byte, byte after the last) of each core module.
        instances: the core instances.
        symbols: {sort: [symbol]} of the core functions, tables, memories and so on, by their numbers.
        steps: its steps, in order.
    """

    def __init__(self, binary: bytes) -> None:
        """Read a component.

        Raises:
            Unmergeable: the component is linked in a way that the merger does not support.
        """
        self.modules: list[tuple[int, int]] = []
        self.instances: list[_Instance] = []
        self.symbols: dict[int, list[_Symbol]] = collections.defaultdict(list)
        self.steps: list[_Step] = []
        self._canonicals = 0
        readers = {_CORE_INSTANCE: self._instance, _ALIAS: self._alias, _CANON: self._canonical}
        for kind, reader, behind in sections(binary):
            if kind == _CORE_MODULE:
                self.modules.append((reader.at, behind))
            elif kind in {_CORE_TYPE, _START}:
                raise Unmergeable(f"a section of kind {kind}")
            elif kind in readers:
                for _ in range(reader.number()):
                    readers[kind](reader)
            else:
                self.steps.append(_Step(kept=section(kind, reader.taken(behind - reader.at))))

    def exported(self, sort: int, number: int) -> _Symbol:
        """Return a symbol by its number, following bundles to the original."""
        symbol = self.symbols[sort][number]
        while not isinstance(symbol, int):
            holder = self.instances[symbol[0]]
            if holder.module >= 0:
                return symbol
            found, number = holder.bundle[symbol[1]]
            symbol = self.symbols[found][number]
        return symbol

    def given(self, instance: int, module: str, name: str) -> _Symbol:
        """Return the symbol for one import of an instance of a module."""
        holder = self.instances[instance].given[module]
        if self.instances[holder].module >= 0:
            return holder, name
        return self.exported(*self.instances[holder].bundle[name])

    def _instance(self, reader: Reader) -> None:
        if reader.byte() == 0:
            module, given = reader.number(), {}
            for _ in range(reader.number()):
                name, sort, number = reader.name(), reader.byte(), reader.number()
                if sort != _INSTANCE:
                    raise Unmergeable("a module that is given something other than instances")
                given[name] = number
            self.steps.append(_Step(instance=len(self.instances)))
            self.instances.append(_Instance(module=module, given=given))
        else:
            bundle = {}
            for _ in range(reader.number()):
                name = reader.name()
                bundle[name] = reader.byte(), reader.number()
            self.instances.append(_Instance(bundle=bundle))

    def _alias(self, reader: Reader) -> None:
        start, sort = reader.at, reader.byte()
        core = reader.byte() if sort == _CORE else -1
        target, holder = reader.byte(), reader.number()
        if target == _OUTER:
            reader.number()
        else:
            name = reader.name()
        if target == _EXPORTED:
            self.symbols[core].append((holder, name))
        elif sort == _CORE:
            raise Unmergeable("a core type or module of a component around this one")
        else:
            self.steps.append(_Step(kept=section(_ALIAS, vector([reader.since(start)]))))

    def _canonical(self, reader: Reader) -> None:
        start, kind = reader.at, reader.byte()
        symbol = None if kind == _LIFT else self._canonicals
        if kind == _LIFT:
            reader.byte()
            before, core, options = reader.since(start), reader.number(), _options(reader)
            found = _Canonical(before, core, options, behind=leb(reader.number()))
        elif kind == _LOWER:
            reader.byte()
            reader.number()
            found = _Canonical(reader.since(start), options=_options(reader), symbol=symbol)
        elif kind <= _RESOURCE_REP:
            reader.number()
            found = _Canonical(reader.since(start), symbol=symbol)
        else:
            raise Unmergeable(f"a canonical function of kind {kind}")
        self.steps.append(_Step(canonical=found))
        if symbol is not None:
            self.symbols[FUNCTION].append(symbol)
            self._canonicals += 1


def _options(reader: Reader) -> list[tuple[int, int | None]]:
    found: list[tuple[int, int | None]] = []
    for _ in range(reader.number()):
        option = reader.byte()
        if option not in _PLAIN and option not in _NAMING:
            raise Unmergeable(f"a canonical function with the option {option}")
        found.append((option, reader.number() if option in _NAMING else None))
    return found


class _Merging:
    """A component being reduced to three modules: the merged one, and the two that stay separate."""

    def __init__(self, binary: bytes) -> None:
        self._header = binary[:HEADER]
        self._linked = _Linked(binary)
        self._modules = [Module(binary, start, end) for start, end in self._linked.modules]
        self._binary = binary
        placed = [step.instance for step in self._linked.steps if step.instance is not None]
        merged = [number for number in placed if not self._module(number).stands_apart]
        used = [self._linked.instances[number].module for number in placed]
        if len(set(used)) < len(used) or not len(placed) == len(merged) + 2 or not merged:
            raise Unmergeable("the modules are not instantiated as they were")
        self._merged = {number: place for place, number in enumerate(merged)}
        self._outside: dict[str, _Symbol] = {}
        self._modules_out = self._instances_out = 0
        self._counts: collections.Counter[int] = collections.Counter()
        self._numbers: dict[tuple[int, _Symbol], int] = {}
        self._placed: dict[int, int] = {}
        self._out: list[bytes] = []

    def merge(self) -> bytes:
        """Return the component with its modules merged."""
        for step in self._linked.steps:
            if step.canonical is not None:
                self._write_canonical(step.canonical)
            elif step.instance is None:
                self._out.append(step.kept)
            elif step.instance not in self._merged:
                self._write_apart(step.instance)
        return self._header + b"".join(self._out)

    def _module(self, instance: int) -> Module:
        return self._modules[self._linked.instances[instance].module]

    def _write_merged(self) -> None:
        joining = Joining(
            [self._module(number) for number in self._merged], [self._links(number) for number in self._merged]
        )
        module = joining.join({_exported_name(*symbol): self._definition(symbol) for symbol in self._wanted()})
        given = self._write_bundle({name: (FUNCTION, self._outside[name]) for name in joining.outside})
        number = self._write_instance(module, {"": given})
        self._placed |= dict.fromkeys(self._merged, number)

    def _links(self, instance: int) -> dict[tuple[str, str], Meaning]:
        """Return the meaning of each import of a module that is merged."""
        links: dict[tuple[str, str], Meaning] = {}
        for entry in itertools.chain.from_iterable(self._module(instance).imports.values()):
            symbol = self._linked.given(instance, entry.module, entry.name)
            if not isinstance(symbol, int) and symbol[0] in self._merged:
                links[entry.module, entry.name] = self._definition(symbol)
            else:
                name = str(symbol) if isinstance(symbol, int) else _exported_name(*symbol)
                self._outside[name] = symbol
                links[entry.module, entry.name] = Outside(name)
        return links

    def _definition(self, symbol: _Export) -> Definition:
        instance, name = symbol
        return Definition(self._merged[instance], *self._module(instance).exports[name])

    def _wanted(self) -> list[_Export]:
        """Return the exports of the merged modules that other modules need."""
        named: list[tuple[int, int]] = []
        for step in self._linked.steps:
            if step.canonical is not None:
                named += step.canonical.named()
            elif step.instance is not None and step.instance not in self._merged:
                for holder in self._linked.instances[step.instance].given.values():
                    named += self._linked.instances[holder].bundle.values()
        symbols = [self._linked.exported(sort, number) for sort, number in named]
        return list(dict.fromkeys(s for s in symbols if not isinstance(s, int) and s[0] in self._merged))

    def _write_apart(self, number: int) -> None:
        instance = self._linked.instances[number]
        given = {}
        for name, holder in instance.given.items():
            bundle = self._linked.instances[holder].bundle
            given[name] = self._write_bundle(
                {field: (sort, self._linked.exported(sort, place)) for field, (sort, place) in bundle.items()}
            )
        start, end = self._linked.modules[instance.module]
        self._placed[number] = self._write_instance(self._binary[start:end], given)

    def _write_bundle(self, exports: dict[str, tuple[int, _Symbol]]) -> int:
        items = [
            text(name) + bytes((sort,)) + leb(self._number(sort, symbol)) for name, (sort, symbol) in exports.items()
        ]
        return self._add_instance(b"\1" + vector(items))

    def _write_instance(self, module: bytes, given: dict[str, int]) -> int:
        self._out.append(section(_CORE_MODULE, module))
        arguments = vector(text(name) + bytes((_INSTANCE,)) + leb(number) for name, number in given.items())
        self._modules_out += 1
        return self._add_instance(b"\0" + leb(self._modules_out - 1) + arguments)

    def _add_instance(self, definition: bytes) -> int:
        self._out.append(section(_CORE_INSTANCE, vector([definition])))
        self._instances_out += 1
        return self._instances_out - 1

    def _write_canonical(self, canonical: _Canonical) -> None:
        content = canonical.before
        if canonical.core is not None:
            content += leb(self._number(FUNCTION, self._linked.exported(FUNCTION, canonical.core)))
        if canonical.options is not None:
            content += vector(
                bytes((option,))
                + (b"" if number is None else leb(self._number(sort, self._linked.exported(sort, number))))
                for option, number in canonical.options
                for sort in (_NAMING.get(option, -1),)
            )
        self._out.append(section(_CANON, vector([content + canonical.behind])))
        if canonical.symbol is not None:
            self._numbers[FUNCTION, canonical.symbol] = self._counts[FUNCTION]
            self._counts[FUNCTION] += 1

    def _number(self, sort: int, symbol: _Symbol) -> int:
        """Return the new number of a symbol; an export gets its number at the first use."""
        known = self._numbers.get((sort, symbol))
        if known is not None:
            return known
        if isinstance(symbol, int):
            raise Unmergeable("a canonical function is needed before it is made")
        instance, name = symbol
        if instance in self._merged and instance not in self._placed:
            # No code runs while modules are instantiated, so the order of instantiation may change.
            self._write_merged()
        exported = _exported_name(instance, name) if instance in self._merged else name
        alias = bytes((_CORE, sort, _EXPORTED)) + leb(self._placed[instance]) + text(exported)
        self._out.append(section(_ALIAS, vector([alias])))
        number = self._numbers[sort, symbol] = self._counts[sort]
        self._counts[sort] += 1
        return number


def _exported_name(instance: int, name: str) -> str:
    return f"{instance}.{name}"


def merge(component: bytes) -> bytes:
    """Return a component with the same behaviour, linked from three modules.

    Raises:
        Unmergeable: the component is linked in a way that the merger does not support; the caller then uses it
            unmerged.
    """
    try:
        return _Merging(component).merge()
    except (LookupError, UnicodeDecodeError) as error:
        raise Unmergeable(f"it is linked otherwise than expected: {error!r}") from error
