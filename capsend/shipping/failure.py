"""The exception that ended a process, rebuilt; its cause shows the place in the guest where it was raised."""

from __future__ import annotations

import re
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

from capsend import codec
from capsend.codec import wire
from capsend.codec.expansion import expansion
from capsend.exceptions import GuestTraceback, ProcessExited, ProcessFailed, ProcessInterrupted, Rendering
from capsend.shipping.description import MAX_ERRORS, MAX_MESSAGE, MAX_NOTES, MAX_TEXT
from capsend.shipping.exception_classes import exception_class, restore
from capsend.shipping.tracebacks import Frame, read_frames, synthetic_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from capsend.codec.limits import Budget

_DEPTH: Final = 8
_MAX_LINE: Final = 300
_NUMBER: Final = re.compile(r"^\[Errno -?\d+\]")
_MAX_TRACEBACK: Final = 1 << 20
_MOST_FRAMES: Final = 1_000  # for all exceptions of one description
_MOST_SHOWN: Final = (
    4 << 20
)  # the most characters that show one exception, its members and parts included; more if its description is longer
_SHOWN_EACH: Final = 8  # the most characters that may show one character of a description, if nothing is held twice
_LINE: Final = 200
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


def rebuild(
    text: str,
    *,
    resolve: Callable[[Any], Any],
    process_id: int,
    files: Collection[str] = frozenset(),
    is_unwanted: Callable[[], bool] | None = None,
) -> BaseException:
    """Return the exception that a process described, ready to be raised; its `__cause__` is a `GuestTraceback`.

    The exception has its own class if `resolve` returns the class or if it is a built-in or standard-library class; no
    `__init__` runs. For any other class, and for one that is no `Exception`, such as `SystemExit`, the result is a
    `ProcessFailed` with the reason.

    Args:
        text: the text that `describe` made in the process, or anything else.
        resolve: returns the object of a reference.
        process_id: the number of the process, for messages.
        files: the source files that were sent: only their lines are shown.
        is_unwanted: returns whether no waiter for the exception is left.

    Raises:
        Stopped: `is_unwanted` returned true.
    """
    try:
        if len(text) > MAX_TEXT:
            raise ValueError("more than any description has")  # noqa: TRY301 - handled like any other malformed text
        told = codec.parse(text, wire.LIMITS, depth=_DEPTH)["errors"][:MAX_ERRORS]
        described = [_Told(each, files) for each in told]
        for each in described:
            each.frames = _some_of(each.frames, _MOST_FRAMES // len(described))
        most = max(_MOST_SHOWN, _SHOWN_EACH * len(text))
        return _Rebuilding(
            described, resolve=resolve, process_id=process_id, is_unwanted=is_unwanted, most=most
        ).outermost()
    except codec.Stopped:
        raise
    except Exception as error:  # noqa: BLE001 - a process may send anything
        reason = f"its answer is not an exception ({type(error).__name__})"
        return ProcessFailed(f"process {process_id} failed: {reason}", type_name="malformed", guest_message=reason)


def summary(text: str) -> str:
    """Return one line about an exception, from a process's description."""
    try:
        if len(text) > MAX_TEXT:
            raise ValueError("more than any description has")  # noqa: TRY301 - handled like any other malformed text
        told = _Told(codec.parse(text, wire.LIMITS, depth=_DEPTH)["errors"][0], frozenset())
    except Exception:  # noqa: BLE001 - a process may send anything
        return "an answer that is not an exception"
    return _one_line(told.line)


class _Told:
    """One exception as described, with every part of the right type and of bounded length."""

    def __init__(self, told: Any, files: Collection[str]) -> None:
        self.type = _printable(_text(told.get("type"), 500))
        self.message = _text(told.get("message"), MAX_MESSAGE + 100)
        self.why = _text(told.get("why"), 600)
        self.reference = told.get("class")
        self.bare = told.get("bare") is True
        self.payload = _text(told.get("payload"), None)
        self.notes = [_text(note, MAX_MESSAGE + 100) for note in _list(told.get("notes"))[:MAX_NOTES]]
        self.frames = read_frames(_list(told.get("frames")), files)
        self.cause, self.context = _number(told.get("cause")), _number(told.get("context"))
        self.suppress = told.get("suppress") is True
        self.group = _text(told.get("group"), MAX_MESSAGE + 100) if "group" in told else None
        self.members = [_number(member) for member in _list(told.get("members"))[:MAX_ERRORS]]

    @property
    def name(self) -> str:
        """The name of its class as a traceback shows it."""
        return self.type.removeprefix("builtins.").removeprefix("__main__.")

    @property
    def size(self) -> int:
        """The approximate number of characters that show it, without its members."""
        return len(self.message) + sum(map(len, self.notes)) + _LINE * (len(self.frames) + 1)

    @property
    def line(self) -> str:
        """The last line of its traceback."""
        return f"{self.name}: {self.message}" if self.message else self.name


class _Rebuilding:
    """The exceptions of one description: all are made first and then linked, as their references may be cyclic."""

    def __init__(
        self,
        told: list[_Told],
        *,
        resolve: Callable[[Any], Any],
        process_id: int,
        is_unwanted: Callable[[], bool] | None,
        most: int,
    ) -> None:
        self._told = told
        self._most = most
        # Together they may cost as much as one result.
        self._limits = wire.LIMITS._replace(max_work=wire.LIMITS.max_work // len(told))
        self._is_unwanted = is_unwanted
        self._resolve = resolve
        self._process_id = process_id
        self._made: dict[int, BaseException] = {}
        self._open: set[int] = set()
        self._shown: dict[int, int] = {}  # {number: approximate characters that show the exception}

    def outermost(self) -> BaseException:
        """Return the exception that ended the process, with the others linked to it."""
        for number in range(len(self._told)):
            self._make(number)
        for number in range(1, len(self._told)):
            self._link(self._made[number], self._told[number])
        told, error = self._told[0], self._made[0]
        if not isinstance(error, Exception):
            error = self._contained(told, error)
        described = self._told
        # In a process, which forwards it, it becomes text at once.
        rendering = Rendering(lambda: _chain(described, 0, set()))
        text = rendering.render() if sys.platform == "wasi" else rendering
        place = GuestTraceback(f"{_one_line(told.line)} ({self._place(told)})", text=text)
        self._link(place, told)
        error.__cause__ = place
        return error

    def _make(self, number: int) -> BaseException:
        if number not in self._made:
            if number in self._open:
                raise LookupError("an exception that contains itself")
            self._open.add(number)
            told = self._told[number]
            self._shown[number] = told.size
            try:
                error = self._original(number, told)
            except codec.Stopped:
                raise
            except Exception as failure:  # noqa: BLE001 - whatever the error, the process failed
                error = self._failed(told, told.why or _first_line(failure))
                self._shown[number] = told.size
            if told.notes:
                error.__notes__ = told.notes
            self._made[number] = error
        return self._made[number]

    def _original(self, number: int, told: _Told) -> BaseException:
        if told.why:
            raise ValueError(told.why)
        cls = exception_class(told.type, told.reference, self._resolve)
        members = [self._make(member) for member in told.members if member is not None and member < len(self._told)]
        payload, size = (((told.message,), {}, {}), 0) if told.bare else self._decoded(told.payload)
        # A member of two groups is shown twice.
        self._shown[number] += size + sum(self._shown[member] for member in told.members if member in self._made)
        if self._shown[number] > self._most:
            raise ValueError(f"it takes more than {self._most} characters to show")
        error = restore(cls, payload, group=told.group, members=members)
        if isinstance(error, OSError) and type(error.errno) is int:
            # The number was translated: the text of the traceback shows the same one.
            told.message = _NUMBER.sub(f"[Errno {error.errno}]", told.message, count=1)
        return error

    def _decoded(self, payload: str) -> tuple[Any, int]:
        """Return (the parts of an exception, the approximate number of characters that show it)."""
        size = _SHOWN_EACH * len(payload)

        def check(nodes: list[Any], budget: Budget) -> None:
            nonlocal size
            size = expansion(nodes, budget, most=self._most, of_external=self._size_of)

        value = wire.decode_value(
            payload, resolve=self._reference, limits=self._limits, is_unwanted=self._is_unwanted, check=check
        )
        return value, size

    def _size_of(self, reference: Any) -> int:
        if type(reference) is dict and "e" in reference:
            self._reference(reference)
            return self._shown[reference["e"]]
        return _LINE

    def _reference(self, reference: Any) -> Any:
        if type(reference) is dict and "e" in reference:
            number = _number(reference["e"])
            if number is None or number >= len(self._told):
                raise LookupError("no such exception")
            return self._make(number)
        return self._resolve(reference)

    def _failed(self, told: _Told, why: str) -> ProcessFailed:
        return ProcessFailed(
            f"process {self._process_id} failed: {told.line}\n    It cannot come back as itself: {why}.",
            type_name=told.type,
            guest_message=told.message,
        )

    def _contained(self, told: _Told, error: BaseException) -> ProcessFailed:
        """Return the `ProcessFailed` for an exception that is no `Exception`, which would end more than the process."""
        failed = self._failed(told, "raised here it would end more than the process")
        if type(error) is SystemExit:
            exited = ProcessExited(str(failed), type_name=told.type, guest_message=told.message)
            exited.code = error.code
            return exited
        if type(error) is KeyboardInterrupt:
            return ProcessInterrupted(str(failed), type_name=told.type, guest_message=told.message)
        return failed

    def _link(self, error: BaseException, told: _Told) -> None:
        error.__traceback__ = synthetic_traceback(told.frames)
        for name, number in (("__context__", told.context), ("__cause__", told.cause)):
            other = self._made.get(number) if number else None
            if other is not None and other is not error:
                setattr(error, name, other)
        error.__suppress_context__ = told.suppress

    def _place(self, told: _Told) -> str:
        own = [frame for frame in told.frames if frame.is_own]
        return f"in process {self._process_id}" + (f", {own[-1].place}" if own else "")


def _chain(described: list[_Told], number: int, seen: set[int]) -> str:
    """Return the traceback of an exception and its chain as the process's own Python would print it, cut to a bounded length."""
    seen.add(number)
    told = described[number]
    text = ""
    before, words = (told.cause, _CAUSE) if told.cause is not None else (told.context, _CONTEXT)
    if told.cause is None and told.suppress:
        before = None
    if before is not None and before < len(described) and before not in seen:
        text = _chain(described, before, seen) + words
    if told.frames:
        stack = synthetic_traceback(told.frames)
        text += "Traceback (most recent call last):\n" + "".join(traceback.format_tb(stack))
    text += "".join(f"{line}\n" for line in (told.line, *told.notes))
    for position, member in enumerate(told.members):
        if member is not None and member < len(described) and member not in seen:
            lines = _chain(described, member, seen).splitlines()
            text += f"  +---------------- {position + 1} ----------------\n" + "".join(f"  | {ln}\n" for ln in lines)
        if len(text) > _MAX_TRACEBACK:
            break
    if len(text) > _MAX_TRACEBACK:
        return f"{text[:_MAX_TRACEBACK]}\n... (more than {_MAX_TRACEBACK} characters)\n"
    return text


def _some_of(frames: list[Frame], most: int) -> list[Frame]:
    """Return the outermost and the innermost frames."""
    return frames if len(frames) <= most else frames[: most // 2] + frames[-(most - most // 2) :]


def _first_line(error: Exception) -> str:
    return (str(error).partition("\n")[0] or type(error).__name__)[:600]


def _one_line(text: str) -> str:
    line, _, rest = text.partition("\n")
    return f"{line[:_MAX_LINE]}..." if rest or len(line) > _MAX_LINE else line


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _text(value: Any, limit: int | None) -> str:
    return value[:limit] if type(value) is str else ""


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < MAX_ERRORS else None
