"""Engines: they start the nodes of a cluster, and report nodes that join or are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.cluster.lines import Credentials


@attrs.frozen
class Started:
    """One node that an engine has started and that is listening.

    Attributes:
        name: its name for people.
        id: its name for home and nodes, never reused: a restarted node has another id.
        host, port: the address on which it listens.
        labels: {name: value} for placement.
    """

    name: str
    id: str
    host: str
    port: int
    labels: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Setup:
    """The setup that every node needs before it listens.

    Attributes:
        first: the number of the first node; the others follow.
        heartbeat: seconds between two beats.
        lost_after: seconds of silence after which a node is lost.
    """

    first: int
    heartbeat: float
    lost_after: float


class Left(Protocol):
    """A function that takes the report of a node that is gone."""

    def __call__(self, id_: str, words: str, *, has_ended: bool) -> object:
        """Take the report.

        Args:
            id_: the node's id.
            words: the reason, for people.
            has_ended: True if its OS process is known to have ended. A node that is merely unreachable may still run
                for a while.
        """


class Engine(Protocol):
    """Starts nodes, and watches them. `start` is called once; `stop` at the end, on any thread, perhaps several times."""

    @property
    def credentials(self) -> Credentials:
        """The credentials by which home and its nodes authenticate each other."""

    def start(self, setup: Setup) -> Sequence[Started]:
        """Start the nodes; return those that are listening.

        Raises:
            CapsendError: a node did not start.
        """

    def watch(self, joined: Callable[[Started], object], left: Left) -> None:
        """Report changes from now on.

        Args:
            joined: called with each node started later.
            left: see `Left`.
        """

    def discard(self, id_: str) -> None:
        """End a lost node if it is still running; returns at once."""

    def retire(self, id_: str) -> None:
        """End a drained node without replacing it; returns at once."""

    def stop(self) -> None:
        """End all nodes, and wait for their end."""
