"""A generated program: pieces of definitions, changes and reads, in one module or two, that can be taken away one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER: Final = """\
import abc, collections, contextlib, dataclasses, enum, functools, inspect, itertools, operator, re, sys, types, typing
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Generic, NamedTuple, Protocol, TypedDict, TypeVar, runtime_checkable
import attrs
from capsend import PerProcess, spawn
"""


@dataclass(frozen=True)
class Piece:
    """One entity with what happens to it.

    Attributes:
        kind: the name of the recipe that made it.
        definitions: statements that define it, in order.
        fronts: more definitions, which stand in the first module even where the piece is foreign.
        changes: statements that change its state afterwards.
        reads: (statements of `work`, expression) of what is read of it.
        is_foreign: whether it is defined in the second module.
        loses: whether `work` changes state that nobody outside would see, so that both checkers have to refuse it.
        keeps: whether `work` changes state of which each process may have its own.
    """

    kind: str
    definitions: tuple[str, ...] = ()
    fronts: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    reads: tuple[tuple[str, str], ...] = ()
    is_foreign: bool = False
    loses: bool = False
    keeps: bool = False


@dataclass(frozen=True)
class Program:
    """One program.

    Attributes:
        index: its number.
        pieces: all of what it is made of.
        is_local: whether everything stands in a function instead of a module.
        way: how `work` is handed to `spawn`.
        late: whether the changes are made by the function that spawns.
        is_raw: whether `work` returns the values themselves and not their texts.
        imports: the lines by which the first module reaches the second.
        is_again: whether it spawns `work` before the late changes as well.
    """

    index: int
    pieces: tuple[Piece, ...]
    is_local: bool = False
    way: str = "function"
    late: bool = False
    is_raw: bool = False
    imports: tuple[str, ...] = ()
    is_again: bool = False

    @property
    def name(self) -> str:
        """The name of its first module."""
        return f"echo_{self.index}"

    @property
    def kinds(self) -> str:
        """The recipes of its pieces."""
        return "+".join(piece.kind for piece in self.pieces)

    @property
    def keeps(self) -> bool:
        """Whether each process may have its own of what is written in it."""
        return any(piece.keeps for piece in self.pieces)

    @property
    def loses(self) -> bool:
        """Whether a write in it would be lost."""
        return any(piece.loses and piece.reads for piece in self.pieces)

    def files(self) -> dict[str, str]:
        """Return {name of a module: its text}."""
        other = "ECHO_B"
        foreign = [piece for piece in self.pieces if piece.is_foreign]
        found = {}
        if foreign or self.imports:
            body = [text for piece in foreign for text in piece.definitions]
            back = ["import ECHO_A as front"] if any("front." in text for text in body) else []
            found[f"{self.name}_b"] = HEADER + "\n".join([*back, *body]) + "\n"
        found[self.name] = self._front(other if found else None)
        return {
            name: text.replace("ECHO_A", self.name).replace("ECHO_B", f"{self.name}_b") for name, text in found.items()
        }

    def _front(self, other: str | None) -> str:
        own = [
            text for piece in self.pieces for text in (*(() if piece.is_foreign else piece.definitions), *piece.fronts)
        ]
        changes = [text for piece in self.pieces for text in piece.changes]
        imports = [line for line in self.imports if other]
        work = self._work()
        if self.is_local:
            body = [*own, *changes, *work, self._spawning()]
            text = ["def main() -> None:", *(_indented(block) for block in body)]
        else:
            text = [*own, *([] if self.late else changes), *work]
            late = changes if self.late else []
            if self.is_again:
                # The first spawn leaves a prepared program, which the changes must make useless.
                late = ["spawn(work)", *late]
                text.append("SPAWNS: Final = 2")
            text += ["def main() -> None:", *(_indented(block) for block in late)]
            text.append(_indented(self._spawning()))
        return HEADER + "\n".join([*imports, *text]) + "\n"

    def _work(self) -> list[str]:
        reads = [read for piece in self.pieces for read in piece.reads]
        form = "object" if self.is_raw else "str"
        if self.way == "argument":
            call = f"def call(f: Callable[[], tuple[{form}, ...]]) -> tuple[{form}, ...]:\n    return f()"
            return [*self._function("work", reads), call]
        if self.way == "both":
            half = len(reads) // 2
            call = f"def call(f: Callable[[], tuple[{form}, ...]]) -> tuple[{form}, ...]:\n    return work() + f()"
            return [*self._function("work", reads[:half]), *self._function("more", reads[half:]), call]
        return self._function("work", reads)

    def _function(self, name: str, reads: list[tuple[str, str]]) -> list[str]:
        statements = [_indented(before) for before, _ in reads if before]
        form, result = ("{}", "object") if self.is_raw else ("repr({})", "str")
        values = "".join(f"        {form.format(expression)},\n" for _, expression in reads)
        return [
            f"def {name}() -> tuple[{result}, ...]:\n"
            + "".join(f"{s}\n" for s in statements)
            + f"    return (\n{values}    )"
        ]

    def _spawning(self) -> str:
        return {
            "function": "spawn(work)",
            "lambda": "spawn(lambda: work())",
            "partial": "spawn(functools.partial(work))",
            "argument": "spawn(call, work)",
            "both": "spawn(call, more)",
            "nested": "def start() -> object:\n    return work()\nspawn(start)",
        }[self.way]

    def cuts(self) -> list[tuple[str, int, int]]:
        """Return all that can be taken away, as `cut` takes it: (field of a piece, its place, place in the field)."""
        whole = [("pieces", number, 0) for number in range(len(self.pieces))] if len(self.pieces) > 1 else []
        parts = [
            (part, number, place)
            for number, piece in enumerate(self.pieces)
            for part in ("changes", "reads", "fronts", "definitions")
            for place in range(len(getattr(piece, part)))
        ]
        way = [("way", 0, 0)] * (self.way != "function") + [("late", 0, 0)] * self.late
        again = [("again", 0, 0)] * self.is_again
        return [*whole, *parts, *way, *again]

    def cut(self, cuts: Iterable[tuple[str, int, int]]) -> Program:
        """Return the program without some of what it has."""
        gone = set(cuts)
        pieces = []
        for number, piece in enumerate(self.pieces):
            if ("pieces", number, 0) in gone:
                continue
            kept: dict[str, Any] = {
                part: tuple(
                    item for place, item in enumerate(getattr(piece, part)) if (part, number, place) not in gone
                )
                for part in ("changes", "reads", "fronts", "definitions")
            }
            pieces.append(replace(piece, **kept))
        way = "function" if ("way", 0, 0) in gone else self.way
        late = self.late and ("late", 0, 0) not in gone
        is_again = self.is_again and ("again", 0, 0) not in gone
        return replace(self, pieces=tuple(pieces), way=way, late=late, is_again=is_again)


def _indented(block: str) -> str:
    return "\n".join(f"    {line}" for line in block.splitlines())
