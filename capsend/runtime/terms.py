"""The terms of a process: the limits and targets that a life reads from its environment."""

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
"""The names of a process's numeric limits, in the order in which they are sent to nodes.

A child's limits are at most its parent's.
"""


class Terms(Protocol):
    """The part of an `Environment` that a life reads; the class itself is in a higher layer."""

    @property
    def memory(self) -> int:
        """The most bytes of memory."""

    @property
    def timeout(self) -> float | None:
        """The most seconds of wall-clock time."""

    @property
    def cpu(self) -> float | None:
        """The most seconds of CPU time."""

    @property
    def output(self) -> int:
        """The most bytes of output."""

    @property
    def result(self) -> int:
        """The most bytes of the result in transit."""

    @property
    def mailbox(self) -> int:
        """The most messages in the mailbox."""

    @property
    def mailbox_bytes(self) -> int:
        """The most bytes in the mailbox."""

    @property
    def mailbox_full(self) -> Policy:
        """The fate of a message that does not fit."""

    @property
    def processes(self) -> int:
        """The most descendants at a time."""

    @property
    def tree_memory(self) -> int | None:
        """The most bytes of memory of all descendants."""

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
        """Refuse less memory than an interpreter has at its start."""

    def replace(self, **changes: Any) -> Self:
        """Return the same terms with other values."""
