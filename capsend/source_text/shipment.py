"""The shipping of source text: its arguments are judged and encoded for the image's entries for texts."""

from __future__ import annotations

import collections.abc
import linecache
import threading
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.wording import Kind, opening, report

from capsend.codec import wire
from capsend.codec.text import dumps
from capsend.exceptions import CaptureError, SerializationError
from capsend.shipping import records
from capsend.shipping.captures.origins import Origins
from capsend.shipping.captures.walk import Place, Walk
from capsend.shipping.examining import examining
from capsend.shipping.prepared import dismantled
from capsend.shipping.program import Program
from capsend.shipping.ship import Shipment, encode_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from capsend.capabilities.handles import Grant

_GUEST: Final = "capsend_guest"
LONGEST_SHOWN: Final = 1 << 18
"""Characters of the longest text whose lines appear in tracebacks: each line costs 60 bytes, however short it is."""

_MOST_SHOWN: Final = 100
_MOST_CHARACTERS: Final = 2 * LONGEST_SHOWN
_LONGEST_LINE: Final = 2_000
_shown: Final[dict[tuple[str, str], _Label]] = {}
_showing: Final = threading.Lock()


@attrs.frozen
class TextShipment(Shipment):
    """A call of an entry for source text.

    Attributes:
        texts: {name: text} of the running texts, for the lines of tracebacks.
    """

    texts: Mapping[str, str] = attrs.field(kw_only=True, repr=False)

    def files(self) -> frozenset[str]:
        """Return the names of the texts, and the source files that were sent with the arguments."""
        return Shipment.files(self) | self.texts.keys()

    def shown_files(self) -> Mapping[str, str]:
        """Return {file: its name in tracebacks}.

        Each text gets a name of its own there, so that another text with the same file name is never shown.
        """
        return _ShownFiles(self.files(), self.texts)

    def _by_name(self, module: str, qualname: str) -> object:
        if qualname == "Record" and module in {"capsend", records.__name__}:
            return records.Record
        return Shipment._by_name(self, module, qualname)  # noqa: SLF001 - its own class


class _Label(str):
    """The name of one text in tracebacks.

    It equals only itself, since untrusted programs may give their texts the same names.
    """

    __slots__ = ()

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


class _ShownFiles(collections.abc.Mapping[str, str]):
    """`{name: name in tracebacks}`; a text's lines are shown once its name has been looked up."""

    def __init__(self, files: frozenset[str], texts: Mapping[str, str]) -> None:
        self._files = files
        self._texts = texts

    def __getitem__(self, name: str) -> str:
        if name not in self._files:
            raise KeyError(name)
        text = self._texts.get(name)
        return name if text is None else show_lines(name, text)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def show_lines(name: str, text: str) -> str:
    """Let tracebacks show the lines of a text, until many others have been shown; characters that do not print become `?`.

    Returns:
        The name that frames need for these lines; *name* if the text is too long to be shown.
    """
    if len(text) > LONGEST_SHOWN:
        return _Label(name)
    with _showing:
        label = _shown.pop((name, text), None) or _Label(name)
        _shown[name, text] = label
        if label not in linecache.cache:
            lines = [f"{_printable(line)}\n" for line in text.splitlines()]
            linecache.cache[label] = (len(text), None, lines, label)
        while len(_shown) > _MOST_SHOWN or sum(len(text) for _, text in _shown) > _MOST_CHARACTERS:
            linecache.cache.pop(_shown.pop(next(iter(_shown))), None)
    return label


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in line[:_LONGEST_LINE])


class _Entry:
    """Represents a function that exists only in the image."""


def _place(name: str) -> tuple[str, str]:
    """Return the module and the name of an entry."""
    module, _, function = name.rpartition(".")
    return f"{_GUEST}.{module or 'cells'}", function


class Entries:
    """A program of entries of the image; every call adds its own definitions.

    Args:
        names: the names of the entries in `capsend.guest.cells`, or `module.function`; the process begins with the
            first.
        knows: returns whether the image has the module of a full name.
    """

    def __init__(self, *names: str, knows: Callable[[str], bool]) -> None:
        self.program: Program = Program()
        self.origins: Origins = Origins(knows=knows)
        self._knows = knows
        made = [self.program.make(_Entry(), "n", *_place(name)) for name in names]
        numbers = self.program.render(*made)
        self.numbers: dict[str, int] = {name: int(number) for name, number in zip(names, numbers, strict=True)}
        self.text: str = f'{{"entry":0,"steps":{dumps(self.program.steps)}}}'
        self.program.steps = []
        self._names: frozenset[tuple[str, str]] = frozenset()

    def pack(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], *, name: str, ahead: Sequence[str] = ()
    ) -> tuple[str, Program]:
        """Judge and encode the arguments of a call.

        Args:
            args: positional arguments.
            kwargs: keyword arguments.
            name: the callable's name in messages.
            ahead: texts that precede the positional arguments.

        Returns:
            (the text of the call, the program with the additions of the call).

        Raises:
            CaptureError, SerializationError: an argument cannot be sent.
        """
        known = any(self.program.entity(value) is not None for value in (*args, *kwargs.values()))
        plain = None if known else encode_data((*ahead, *args), dict(kwargs))
        if plain is not None:
            return f"0:{plain}", self.program
        with examining():
            return self._judged(args, kwargs, name, ahead)

    def _judged(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], name: str, ahead: Sequence[str]
    ) -> tuple[str, Program]:
        program = self.program.extend()
        walk = Walk(origins=Origins(knows=self._knows), program=program)
        labels = [f"args[{index}]" for index in range(len(args))]
        for label, value in [*zip(labels, args, strict=True), *kwargs.items()]:
            walk.values.judge(value, Kind.ARGUMENT, label, Place(), trait="Serializable")
        walk.finish()
        findings = dismantled(walk).findings
        if not findings:
            call = ((*ahead, *args), dict(kwargs))
            shared = program.shared if program.shares(call) else None
            encoded = wire.encode_value(
                call, externals=program.external, shared=shared, name=f"arguments of {name}, args"
            )
            program.render()
        if findings:  # rendering finds values that have no encoding
            kind = SerializationError if all(f.kind is Kind.ARGUMENT for f in findings) else CaptureError
            raise kind(report(opening(name, findings), findings), findings=findings)
        steps = dumps(program.steps) if program.steps else ""  # not compared: only the guest has the entries
        return f"{len(steps):x}:{steps}{encoded}", program

    def shipment(self, packed: tuple[str, Program], *, name: str, texts: Mapping[str, str]) -> TextShipment:
        """Return the shipment of the first entry with packed arguments."""
        call, program = packed
        names = frozenset(program.names())
        return TextShipment(
            self.text, call, name, program.objects, names, tuple(program.handles), self.origins, texts=texts
        )

    def call(
        self, entry: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, name: str, texts: Mapping[str, str]
    ) -> NextCall:
        """Return a call for a process that has got all earlier calls; its steps continue those of the calls.

        Args:
            entry: the entry.
            args: its positional arguments.
            kwargs: its keyword arguments.
            name: its name in messages.
            texts: as for `shipment`.

        Raises:
            CaptureError, SerializationError: an argument cannot be sent.
        """
        before = self.program
        text, program = self.pack(args, kwargs, name=name)
        self._names |= frozenset(program.names())
        self.program = program
        at = [len(before.objects), len(before.handles)]
        shipment = TextShipment(
            self.text, text, name, program.objects, self._names, tuple(program.handles), self.origins, texts=texts
        )
        program.steps = []
        return NextCall(self.numbers[entry], at, text, tuple(program.handles[at[1] :]), shipment)


@attrs.frozen
class NextCall:
    """A call for a running process.

    Attributes:
        entry: the number of the entry.
        at: [entities, handles] of the process before the call.
        text: the arguments.
        grants: the grants behind its new handles.
        shipment: the reader of the answer.
    """

    entry: int
    at: list[int]
    text: str
    grants: tuple[Grant, ...]
    shipment: TextShipment

    def head(self, handles: Sequence[Any]) -> str:
        """Return the text that chooses the entry, with the handles' numbers in the process's table."""
        return dumps({"entry": self.entry, "at": self.at, **({"handles": handles} if handles else {})})
