"""The home of `test_partitions`: a program in a separate network namespace, which follows its standard input.

A *beacon* runs on a node: it calls a function of home, sends to a mailbox of home and to a witness on another node, and prints, again and
again, each time with the number of its start and a count. All that arrives is recorded. A supervisor starts the beacon again when it ends.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from capsend import Address, Cluster, Environment, Mailbox, Process, Supervisor, host_function
from capsend.cluster import Certificates
from capsend.mailbox import Down

LOST_AFTER: Final = 2.0


def beacon(start: int, note: Any, home: Address[Any], witness: Address[Any]) -> None:
    """Do all that a process can do, for ever."""
    import itertools
    import time as clock

    for count in itertools.count():
        note(start, count)
        home.send(["message", start, count])
        witness.send((start, count))
        print(f"{start} {count}")
        clock.sleep(0.02)


def stand_witness(inbox: Mailbox[Any], home: Address[Any]) -> None:
    """Tell home of each message, in the order in which they come."""
    for start, count in inbox:
        home.send(["witness", start, count])


def watch(inbox: Mailbox[Any], peer: Address[Any], home: Address[Any]) -> None:
    """Tell home how a process on another node ends."""
    inbox.monitor(peer)
    down = inbox.receive(kind=Down)
    home.send(["down", down.reason, peer.send(1)])


def keep_silent(inbox: Mailbox[Any]) -> None:
    """Take messages for ever."""
    for _ in inbox:
        pass


class Apart:
    """The commands. Machines are known by the label that their daemon has."""

    def __init__(self, cluster: Cluster, inbox: Mailbox[Any]) -> None:
        self._cluster = cluster
        self._inbox = inbox
        self._records: list[tuple[str, int, int, float]] = []
        self._starts: list[float] = []
        self._told: list[Any] = []
        self._heard = threading.Condition()
        self._supervisor: Supervisor | None = None
        self._witness: Process[None] | None = None
        self._kept: list[Process[None]] = []

    def record(self, kind: str, start: int, count: int) -> None:
        """Take down what a beacon did."""
        with self._heard:
            self._records.append((kind, start, count, time.monotonic()))
            self._heard.notify_all()

    def read(self) -> None:
        """Take down what comes to the mailbox, until it closes."""
        for kind, *told in self._inbox:
            if kind == "down":
                with self._heard:
                    self._told.append(told)
                    self._heard.notify_all()
            else:
                self.record(kind, *told)

    def _on(self, machine: str, **limits: Any) -> Environment:
        (node,) = [node for node in self._cluster.nodes if node.labels["machine"] == machine]
        return Environment(on=node, timeout=None, **limits)

    def nodes(self) -> dict[str, str]:
        """Return {machine: id of its node}."""
        return {node.labels["machine"]: node.id for node in self._cluster.nodes}

    def begin(self, machine: str, witness: str, other: str) -> bool:
        """Start a beacon on one machine, with a witness on another; it is started again on the third."""
        self._records, self._starts = [], []
        self._witness = self._on(witness).spawn(stand_witness, self._inbox.address)
        to_witness = self._witness.address
        self._supervisor = Supervisor()

        @host_function(remote=True)
        def note(start: int, count: int) -> None:
            self.record("call", start, count)

        def start() -> Process[None]:
            self._starts.append(time.monotonic())
            on = self._on(other if self._starts[1:] else machine, stdout=self._print)
            return on.spawn(beacon, len(self._starts), note, self._inbox.address, to_witness)

        self._supervisor.add(start)
        return self.seen(1, 20)

    def _print(self, text: str) -> None:
        for line in text.split("\n"):
            if line:
                start, count = map(int, line.split())
                self.record("output", start, count)

    def seen(self, start: int, count: int) -> bool:
        """Wait until a start of the beacon has done each act *count* times."""

        def is_seen() -> bool:
            kinds = [kind for kind, number, _, _ in self._records if number == start]
            return all(kinds.count(kind) >= count for kind in ("call", "message", "witness", "output"))

        with self._heard:
            return self._heard.wait_for(is_seen, 30)

    def end(self) -> dict[str, Any]:
        """End beacon and witness, and return what was seen."""
        assert self._supervisor is not None
        assert self._witness is not None
        self._supervisor.close()
        self._witness.kill()
        return {"records": self._records, "starts": self._starts}

    def wait_for(self, nodes: int) -> bool:
        """Wait until there are *nodes* nodes."""
        return self._cluster.wait_for(nodes, 30)

    def pair(self, one: str, other: str) -> bool:
        """Have a process on one machine watch one on another."""
        self._told.clear()
        self._kept = [self._on(other).spawn(keep_silent)]
        self._kept.append(self._on(one).spawn(watch, self._kept[0].address, self._inbox.address))
        return True

    def down(self) -> list[Any]:
        """Return the notices that the watching process got, and the ends seen in this program."""
        with self._heard:
            assert self._heard.wait_for(lambda: self._told, 30)
        watched, watching = self._kept
        watching.result(30)
        return [*self._told[0], watched.exit_reason]


def main() -> None:
    """Connect, and do what is said."""
    places, keys = sys.argv[1].split(","), Path(sys.argv[2])
    home = Certificates.load(authority=keys / "authority.pem", certificate=keys / "home.pem", key=keys / "home.key")
    with (
        Cluster.connect(places, credentials=home, heartbeat=0.2, lost_after=LOST_AFTER) as cluster,
        Mailbox[Any](messages=100_000) as inbox,
    ):
        apart = Apart(cluster, inbox)
        threading.Thread(target=apart.read, daemon=True).start()
        print("true", flush=True)
        for line in sys.stdin:
            word, *given = json.loads(line)
            print(json.dumps(getattr(apart, word)(*given)), flush=True)


if __name__ == "__main__":
    main()
