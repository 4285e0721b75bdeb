"""Every error capsend raises.

::

    CapsendError
      CaptureError(TypeError)          a capture, or an impl that contradicts itself
      SerializationError(TypeError)    an argument, message or result that cannot be sent by value
      ProcessFailed                    an exception that could not come back as itself; a fault of the guest
        ProcessExited                    sys.exit() in the guest
        ProcessInterrupted               KeyboardInterrupt in the guest
      ProcessKilled
      NodeLost                         the machine of a process was lost
      LimitExceeded                    TimeLimitExceeded(TimeoutError), MemoryLimitExceeded(MemoryError), OutputLimitExceeded
      ImageError
      SnapshotError(ValueError)        a file that holds no snapshot, or one of another image
      WasmError(ValueError)            a WebAssembly module that cannot be used

`GuestTraceback` is not an error in its own right: it is the `__cause__` that shows the place in the guest where an
exception was raised.
"""

from __future__ import annotations

import functools
import opcode
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend_traits.wording import Finding

P = ParamSpec("P")
R = TypeVar("R")


def _rebuild(cls: type[CapsendError], args: tuple[Any, ...], state: dict[str, Any]) -> CapsendError:
    error = cls.__new__(cls, *args)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return error


class CapsendError(Exception):
    """The root of every error that capsend raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only data would be lost by BaseException's own reduction, which calls cls(*args).
        return _rebuild, (type(self), self.args, self.__dict__)


class CaptureError(CapsendError, TypeError):
    """A capture of a callable cannot be sent, or an impl contradicts itself.

    Attributes:
        findings: one `Finding` per bad capture, in the order of the source; empty for an impl that contradicts itself.
    """

    findings: tuple[Finding, ...]

    def __init__(self, message: str, *, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class SerializationError(CapsendError, TypeError):
    """An argument, a message or a result cannot be sent by value.

    Attributes:
        findings: one `Finding` per value that cannot be sent; empty when the guest found the fault.
        path: the path of the offending part in the value, such as `result["rows"][2]`; empty when `findings` have it.
    """

    findings: tuple[Finding, ...] = ()
    path: str = ""

    def __init__(self, message: str, *, findings: Sequence[Finding] = (), path: str = "") -> None:
        super().__init__(message)
        self.findings = tuple(findings)
        self.path = path


class ProcessFailed(CapsendError):
    """A process ended by an exception that cannot come back as itself, or by a fault of the guest.

    Attributes:
        type_name: the qualified name of the guest's exception class, or "trap" for a fault of the guest.
        guest_message: the text of the guest's exception.
    """

    type_name: str = ""
    guest_message: str = ""

    def __init__(self, message: str, *, type_name: str = "", guest_message: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.guest_message = guest_message


class ProcessExited(ProcessFailed):
    """A process called `sys.exit()`.

    `ProcessExited` is no `SystemExit`: asyncio lets a `SystemExit` end the event loop of all tasks, so a process could end the host
    program.

    Attributes:
        code: the argument of `sys.exit`.
    """

    code: Any = None  # as typeshed has it for SystemExit: an int, a text, or nothing


def is_normal_exit(error: BaseException | None) -> bool:
    """Return whether a process ended by `sys.exit()` with the code of success: it has no result, and failed at nothing."""
    code = error.code if type(error) is ProcessExited else 1
    return code is None or (isinstance(code, int) and code == 0)


class ProcessInterrupted(ProcessFailed):
    """A process raised `KeyboardInterrupt`.

    On the host the error is not a `KeyboardInterrupt`, for the reason given at `ProcessExited`.
    """


class SystemExitInside(ProcessExited, SystemExit):
    """The error of `Process.result` for `sys.exit()` in the guest: both `except SystemExit` and `except Exception` catch it.

    Its `code` is never that of success: a process that ended without a result should not end the host program as if all were well.
    """


class KeyboardInterruptInside(ProcessInterrupted, KeyboardInterrupt):
    """The error of `Process.result` for `KeyboardInterrupt` in the guest: `except KeyboardInterrupt` and `except Exception` catch it."""


def raised_by_result(error: BaseException) -> BaseException:
    """Return the error that `Process.result` raises for an error of a process: exits and interrupts also get their own built-in class.

    Waiters on an event loop or through an executor get the error as it is: a `SystemExit` or `KeyboardInterrupt` would end the loop of all
    tasks.
    """
    if type(error) is ProcessExited:
        exited = SystemExitInside(*error.args, type_name=error.type_name, guest_message=error.guest_message)
        exited.code = error.code or str(error)
        exited.__cause__ = error.__cause__
        return exited
    if type(error) is ProcessInterrupted:
        interrupted = KeyboardInterruptInside(*error.args, type_name=error.type_name, guest_message=error.guest_message)
        interrupted.__cause__ = error.__cause__
        return interrupted
    return error


class ProcessKilled(CapsendError):
    """The process was ended by `kill()`, or when the last reference to its handle went."""


class NodeLost(CapsendError):
    """The node on which a process ran was lost: whether the function has run, in part or to its end, is not known.

    Attributes:
        node: the node's name.
    """

    node: str = ""

    def __init__(self, message: str, *, node: str = "") -> None:
        super().__init__(message)
        self.node = node


class LimitExceeded(CapsendError):
    """A process reached one of its environment's limits.

    Attributes:
        limit: the limit that was reached: seconds as float, memory and output in bytes as int.
    """

    limit: float = 0

    def __init__(self, message: str, *, limit: float = 0) -> None:
        super().__init__(message)
        self.limit = limit


class TimeLimitExceeded(LimitExceeded, TimeoutError):
    """The process ran longer than its environment's timeout."""


class MemoryLimitExceeded(LimitExceeded, MemoryError):
    """The process asked for more memory than its environment grants."""


class OutputLimitExceeded(LimitExceeded):
    """The process wrote more output, or returned a larger result, than its environment allows."""


class ImageError(CapsendError):
    """The image could not be built, loaded or trusted, or lacks a module."""


class SnapshotError(CapsendError, ValueError):
    """A file holds no snapshot of a session: it is damaged, incomplete or something else, or the snapshot is of another image."""


class WasmError(CapsendError, ValueError):
    """A WebAssembly module cannot be used: its code is not valid, needs something that processes do not have, or does not fit the interface."""


class Rendering:
    """A text that is rendered when it is first read; only capsend makes one."""

    __slots__ = ("render",)

    def __init__(self, render: Callable[[], str]) -> None:
        self.render: Callable[[], str] = render


class GuestTraceback(Exception):
    """The place in the guest where an exception was raised; the `__cause__` of an error that `Process.result` raises.

    Its `str()` is one line that names the innermost frame of the user's code.
    """

    def __init__(self, message: str, *, text: str | Rendering = "") -> None:
        super().__init__(message)
        self.__dict__["_rendering" if isinstance(text, Rendering) else "text"] = text

    @functools.cached_property
    def text(self) -> str:
        """The traceback as the process's own Python would print it, with the user's file names and line numbers.

        The text is rendered when it is first read, so an unread chain of exceptions costs nothing.
        """
        rendering = self.__dict__.pop("_rendering", None)
        return rendering.render() if type(rendering) is Rendering else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_traceback, (self.args[0], self.text)


def _rebuild_traceback(message: str, text: str) -> GuestTraceback:
    return GuestTraceback(message, text=text)


_OWN: Final = frozenset(("capsend", "capsend_guest", "capsend_traits"))
_RAISE: Final = opcode.opmap["RAISE_VARARGS"]
_COROUTINE: Final = 0x80  # inspect.CO_COROUTINE, without the import of inspect, a large module


def hide_own_frames(error: BaseException) -> None:
    """Take capsend's frames out of the traceback of an error that the caller, or code of the caller's, made.

    A public function calls it in its `except` block and ends that block with a bare `raise`, which adds no frame: the
    traceback then ends in the user's code. An error that capsend's code raised without a `raise` statement is a defect
    of capsend and keeps all frames.
    """
    frames: list[TracebackType] = []
    at = error.__traceback__
    while at is not None:
        frames.append(at)
        at = at.tb_next
    kept: TracebackType | None = None
    if frames and not _is_own(frames[-1]):
        for frame in reversed(frames):
            if not _is_own(frame):
                kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    elif frames and not isinstance(error, (CapsendError, SyntaxError)) and not _is_raised(frames[-1], error):
        return
    error.__traceback__ = kept


def shown_at_caller(act: Callable[P, R]) -> Callable[P, R]:
    """Hide capsend's own frames from errors of a public function, be it `async` or not: see `hide_own_frames`.

    Functions with overloads that take a callable and its arguments call `hide_own_frames` themselves: a decorator would take their
    signatures from type checkers.
    """
    if act.__code__.co_flags & _COROUTINE:
        coroutine: Any = act

        @functools.wraps(act)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return await coroutine(*args, **kwargs)
            except Exception as error:
                hide_own_frames(error)
                raise

        return awaited  # type: ignore[return-value]  # a coroutine function in the place of one

    @functools.wraps(act)
    def done(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return act(*args, **kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise

    return done


def _is_own(frame: TracebackType) -> bool:
    module = frame.tb_frame.f_globals.get("__name__")
    return type(module) is str and module.partition(".")[0] in _OWN


def _is_raised(frame: TracebackType, error: BaseException) -> bool:
    """Return whether a `raise` raised the error in this frame, and nothing that went wrong."""
    return frame.tb_frame.f_code.co_code[frame.tb_lasti] == _RAISE and not isinstance(error, AssertionError)
