"""The end of a process: the error for its waiters, the exit reason, and the words for monitors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend.exceptions import (
    CapsendError,
    GuestTraceback,
    MemoryLimitExceeded,
    OutputLimitExceeded,
    ProcessFailed,
    ProcessKilled,
    is_normal_exit,
)
from capsend.shipping.outcomes import ChildRaised

if TYPE_CHECKING:
    from capsend.engine import Trapped
    from capsend.process import ExitReason

_LONGEST_WORDS: Final = 500


def is_told(error: BaseException) -> bool:
    """Return whether an error is capsend's or came from the guest; other errors of the host are not shown to processes."""
    return isinstance(error, CapsendError) or isinstance(error.__cause__, GuestTraceback)


def fault_of(fault: Trapped, *, number: int) -> ProcessFailed:
    """Return the error of a process that was ended by a fault of its guest."""
    details = f"\n{fault.details}" if fault.details else ""
    return ProcessFailed(
        f"process {number} ended by a fault: {fault.reason}{details}", type_name="trap", guest_message=fault.details
    )


def translated(error: BaseException, *, number: int, limit: int) -> BaseException:
    """Return the error for the waiters: a guest's `MemoryError` becomes one about the limit of its environment.

    Args:
        error: the error that ended the process.
        number: the number of the process.
        limit: the bytes of memory of its environment.
    """
    if type(error) is not MemoryError or error.args:  # an error with arguments is the user's, whatever its meaning
        return error
    exceeded = MemoryLimitExceeded(
        f"process {number} asked for more memory than its environment's {limit} bytes. Give it more: Environment(memory=...)",
        limit=limit,
    )
    exceeded.__cause__ = error.__cause__ or error
    return exceeded


def reason_of(error: BaseException | None, *, stop: BaseException | None) -> ExitReason:
    """Return the exit reason of a process.

    Args:
        error: the error that ended the process; None if the function returned.
        stop: the error with which the host stopped the process, if it did.
    """
    if error is None or is_normal_exit(error) or (isinstance(error, ChildRaised) and error.is_normal_exit):
        return "normal"
    if error is stop and isinstance(error, ProcessKilled):
        return "killed"
    if error is stop or isinstance(error, (MemoryLimitExceeded, OutputLimitExceeded)):
        return "limit"
    if isinstance(error, ChildRaised) and error.is_limit:
        return "limit"
    return "trap" if isinstance(error, ProcessFailed) and error.type_name == "trap" else "failed"


def words_of(error: BaseException) -> str:
    """Return the text about an end for other processes: at most 500 characters, without texts of the host's own errors."""
    if isinstance(error, ChildRaised):
        return error.words[:_LONGEST_WORDS]
    if not is_told(error):
        return type(error).__name__
    try:
        return f"{type(error).__name__}: {error}"[:_LONGEST_WORDS]
    except Exception:  # noqa: BLE001 - __str__ of a user's class
        return type(error).__name__
