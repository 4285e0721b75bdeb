"""The terms of a process: the limits and targets that a life reads of its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from capsend.mailbox.bounds import Policy


LIMITS: Final = (
    "memory",
    "timeout",
    "cpu",
    "output",
    "result",
    "mailbox",
    "mailbox_bytes",
    "processes",
    "tree_memory",
)
"""The names of the limits of a process: numbers, of which a child has at most its parent's, and which nodes are sent in this order."""


class Terms(Protocol):
    """The part of an `Environment` that a life reads; the class itself lies above the rooms that run processes."""

    @property
    def memory(self) -> int:
        """Bytes of memory."""

    @property
    def timeout(self) -> float | None:
        """Seconds of wall-clock time."""

    @property
    def cpu(self) -> float | None:
        """Seconds of CPU time."""

    @property
    def output(self) -> int:
        """Bytes of output."""

    @property
    def result(self) -> int:
        """Bytes of the result in transit."""

    @property
    def mailbox(self) -> int:
        """Messages that the mailbox holds."""

    @property
    def mailbox_bytes(self) -> int:
        """Bytes that the mailbox holds."""

    @property
    def mailbox_full(self) -> Policy:
        """The fate of a message that does not fit."""

    @property
    def processes(self) -> int:
        """Processes below this one."""

    @property
    def tree_memory(self) -> int | None:
        """Bytes of memory of all processes below this one."""

    @property
    def env(self) -> Mapping[str, str]:
        """Environment variables."""

    @property
    def stdout(self) -> Callable[[str], object] | None:
        """The target of standard output."""

    @property
    def stderr(self) -> Callable[[str], object] | None:
        """The target of standard error."""

    def check_python(self) -> None:
        """Refuse less memory than a process that runs Python starts with."""

    def replace(self, **changes: Any) -> Self:
        """Return the same terms with other values."""
