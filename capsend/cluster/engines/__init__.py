"""Engines: they start the nodes of a cluster, and report those that come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.cluster.lines import Credentials


@attrs.frozen
class Started:
    """One node that an engine has started, and that listens.

    Attributes:
        name: its name for people.
        id: its name for home and nodes, which is never used again: a node that starts anew has another one.
        host, port: where it listens.
        labels: {name: value} for placement.
    """

    name: str
    id: str
    host: str
    port: int
    labels: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Setup:
    """The setup of nodes, which each of them needs before it listens.

    Attributes:
        first: the number of its first node; the others follow.
        heartbeat: seconds between two beats.
        lost_after: seconds of silence after which a node is lost.
    """

    first: int
    heartbeat: float
    lost_after: float


class Left(Protocol):
    """Takes the report of a node that is gone."""

    def __call__(self, id_: str, words: str, *, has_ended: bool) -> object:
        """Take the report.

        Args:
            id_: the node's id.
            words: the reason, for people.
            has_ended: whether its OS process is known to have ended. One that may only be out of reach may still run for a while.
        """


class Engine(Protocol):
    """Starts nodes, and watches over them. `start` is called once, `stop` at the end, from any thread and more than once."""

    @property
    def credentials(self) -> Credentials:
        """How home and its nodes know each other."""

    def start(self, setup: Setup) -> Sequence[Started]:
        """Start the nodes, and return those that listen.

        Raises:
            CapsendError: a node did not start.
        """

    def watch(self, joined: Callable[[Started], object], left: Left) -> None:
        """Report changes from now on.

        Args:
            joined: called with each node that was started later.
            left: see `Left`.
        """

    def discard(self, id_: str) -> None:
        """End a lost node, should it still run; returns at once."""

    def retire(self, id_: str) -> None:
        """End a node that was drained, and start none in its place; returns at once."""

    def stop(self) -> None:
        """End all nodes, and wait until they have ended."""
