"""Observations: everything that a walk read. A cached program is valid while all of it is unchanged."""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any, Final

from capsend.codec.instances import bases_of

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Mapping

ABSENT: Final = object()


class Observed:
    """The names that were read, and their values.

    Captured values are immutable, so comparing identities is enough.
    """

    def __init__(self) -> None:
        self._names: list[tuple[Mapping[str, Any], str, object]] = []
        self._attributes: list[tuple[object, str, object]] = []
        self._tables: list[tuple[Mapping[Any, Any], dict[Any, Any]]] = []
        self._made_tables: list[tuple[Callable[[], Mapping[Any, Any]], dict[Any, Any]]] = []
        self._cells: list[tuple[types.CellType, object]] = []
        self._kept: list[object] = []
        self._answers: list[tuple[Callable[[], object], object]] = []
        self._orders: list[tuple[Mapping[str, Any], list[str]]] = []
        self._classes: list[tuple[type, type, object]] = []

    def name(self, namespace: Mapping[str, Any], name: str, value: object) -> None:
        """Note the value of one name; `ABSENT` if the name has none."""
        self._names.append((namespace, name, value))

    def attribute(self, thing: object, name: str) -> None:
        """Note an attribute that is read without running user code."""
        self._attributes.append((thing, name, getattr(thing, name, ABSENT)))

    def table(self, table: Mapping[Any, Any]) -> None:
        """Note all entries of a namespace or registry."""
        self._tables.append((table, dict(table)))

    def order(self, table: Mapping[str, Any]) -> None:
        """Note the names in a namespace and their order: code may list them."""
        self._orders.append((table, [*table]))

    def ancestry(self, cls: type) -> None:
        """Note the bases of a class and its metaclass."""
        self._classes.append((cls, type(cls), bases_of(cls)))

    def ancestry_of(self, thing: object) -> None:
        """Note the class of an instance, as it can be assigned."""
        self.answer(lambda: _Is(type(thing)))

    def container(self, container: object) -> None:
        """Note all elements of a list, dict or set, and of nested ones."""
        self._kept.append(container)
        self.answer(lambda: _contents(container))

    def parts(self, container: object) -> None:
        """Note the elements of a list, dict or set: the verdict holds while they are the same objects."""
        if type(container) in {list, dict, set}:
            self._kept.append(container)
            self.answer(lambda: [*map(_Is, _flat(container))])

    def partial(self, partial: Any) -> None:
        """Note the parts of a `functools.partial`, and its attributes."""
        self.table(partial.keywords)
        for name in ("args", "func"):
            self.attribute(partial, name)
        self.made_table(lambda: vars(partial))

    def made_table(self, ask: Callable[[], Mapping[Any, Any]]) -> None:
        """Note all entries of a table that is computed on demand."""
        self._made_tables.append((ask, dict(ask())))

    def cell(self, cell: types.CellType, value: object) -> None:
        """Note the content of a cell."""
        self._cells.append((cell, value))

    def answer(self, ask: Callable[[], object]) -> None:
        """Note the present answer to a question; answers are compared with `==`."""
        self._answers.append((ask, ask()))

    def hold(self) -> bool:
        """Return whether everything that was read is still the same."""
        # Loops, not generators: a spawn that is repeated waits for this.
        for namespace, name, value in self._names:
            if namespace.get(name, ABSENT) is not value:
                return False
        for thing, name, value in self._attributes:
            if getattr(thing, name, ABSENT) is not value:
                return False
        for cell, value in self._cells:
            if not _holds(cell, value):
                return False
        for table, order in self._orders:
            if [*table] != order:
                return False
        for cls, meta, bases in self._classes:
            if type(cls) is not meta or bases_of(cls) is not bases:
                return False
        for table, entries in self._tables:
            if (table or entries) and not _same(table, entries):
                return False
        for ask, entries in self._made_tables:
            if not _same(ask(), entries):
                return False
        return all(ask_again() == answer for ask_again, answer in self._answers)


def _same(table: Mapping[Any, Any], known: dict[Any, Any]) -> bool:
    if len(table) != len(known):
        return False
    return all(map(is_, table, known)) and all(map(is_, table.values(), known.values()))


class _Is:
    """A part of a container that equals only itself."""

    __slots__ = ("part",)

    def __init__(self, part: object) -> None:
        self.part = part

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Is) and self.part is other.part

    __hash__ = None  # type: ignore[assignment]  # it is only compared


def _flat(container: Any) -> list[object]:
    return [*container, *container.values()] if type(container) is dict else list(container)


def _contents(part: Any) -> object:
    if type(part) is dict:
        return [dict, *((_Is(key), _contents(value)) for key, value in part.items())]
    if type(part) in {list, tuple}:
        return [type(part), *map(_contents, part)]
    return [type(part), *map(_Is, part)] if type(part) in {set, frozenset} else _Is(part)


def _holds(cell: types.CellType, value: object) -> bool:
    try:
        return cell.cell_contents is value
    except ValueError:
        return False
