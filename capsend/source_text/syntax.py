"""The syntax check of a text, by an instance that runs nothing else: the host never compiles untrusted text."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Final

from capsend import engine
from capsend.codec import dumps, loads
from capsend.deadlines import Deadlines
from capsend.exceptions import LimitExceeded
from capsend.runtime import workers
from capsend.runtime.running import close_at_exit

if TYPE_CHECKING:
    from capsend.engine import Guest, Template
    from capsend.image.image import Image

_deadlines: Final = Deadlines()
_MEMORY: Final = 512 << 20
_TIMEOUT: Final = 5.0
_MOST_KEPT: Final = 96 << 20
"""The most bytes of memory of an instance that is kept for the next text."""

_LONGEST_ANSWER: Final = 32 << 20
_MOST_IDLE: Final = 2
_MOST_VERDICTS: Final = 1_000
_ERRORS: Final[dict[str, type[SyntaxError]]] = {
    each.__name__: each for each in (SyntaxError, IndentationError, TabError)
}


def check_syntax(text: str, name: str, image: Image) -> None:
    """Compile a text with the image's Python, without running it.

    Args:
        text: the text.
        name: the file name for the error.
        image: the image for which the text is meant.

    Raises:
        SyntaxError: the text cannot be compiled.
        LimitExceeded: compiling the text takes more than five seconds, or 512 MiB.
        ImageError: the image cannot be built.
    """
    global _reader, _owner
    if _owner != os.getpid():
        _reader, _owner = _Reader(), os.getpid()
    _reader.check(text, name, image.template())


class _Reader:
    """Compiles texts in instances that run nothing else, each on a thread with enough stack for a guest."""

    def __init__(self) -> None:
        self._idle: list[tuple[Template, Guest]] = []
        self._good: dict[tuple[bytes, int], None] = {}

    def check(self, text: str, name: str, template: Template) -> None:
        """Raise the error of a text that cannot be compiled."""
        key = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), id(template))
        if key in self._good:
            return
        told = workers.call(lambda: self._ask(dumps([text, name]), template), stack=engine.THREAD_STACK)
        if told is None:
            message = f"{name} takes more than {_TIMEOUT:g} s or {_MEMORY} bytes of memory to compile. Split it"
            raise LimitExceeded(message, limit=_TIMEOUT)
        if told != "null":
            raise _error(loads(told) if len(told) <= _LONGEST_ANSWER else [], name)
        if len(self._good) >= _MOST_VERDICTS:
            self._good.clear()
        self._good[key] = None

    def _ask(self, question: str, template: Template) -> str | None:
        """Return a guest's answer; None if the guest ended, which a text can cause."""
        guest = self._take(template)
        deadline = _deadlines.add(_TIMEOUT, guest.interrupt)
        try:
            answer = guest.run(question, "syntax")
        except (engine.Trapped, engine.Interrupted):
            answer = None
        finally:
            deadline.cancel()
        if answer is None or guest.interrupted or guest.memory > _MOST_KEPT or len(self._idle) >= _MOST_IDLE:
            guest.close()
        else:
            self._idle.append((template, guest))
        return answer

    def _take(self, template: Template) -> Guest:
        while self._idle:
            try:
                of, guest = self._idle.pop()
            except IndexError:  # another thread took it
                break
            if of is template:
                return guest
            guest.close()
        return engine.Guest(template, memory=_MEMORY, host=lambda _operation, _payload: "")

    def close(self) -> None:
        """Close the instances."""
        while self._idle:
            self._idle.pop()[1].close()


_reader = _Reader()
_owner = os.getpid()


def close() -> None:
    """Close the instances; called before the interpreter exits."""
    if _owner == os.getpid():
        _reader.close()


def _error(told: list[Any], name: str) -> SyntaxError:
    """Return the error that a guest has described."""
    if type(told) is not list or len(told) != 7:
        return SyntaxError("it cannot be compiled", (name, 1, None, None))
    kind, message, line, column, text, end_line, end_column = told
    shown = "".join(c if c.isprintable() or c in "\t\n" else "?" for c in text[:2_000]) if type(text) is str else None
    place = [value if type(value) is int and value >= 0 else None for value in (line, column, end_line, end_column)]
    details = (name, place[0], place[1], shown, place[2], place[3])
    return _ERRORS.get(str(kind), SyntaxError)(str(message)[:2_000], details)


close_at_exit(close)
