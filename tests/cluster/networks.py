"""Machines of one test: network namespaces joined by a bridge, whose links can be cut both ways or one way.

A link that is cut in both directions is like a pulled cable: the machine's port of the bridge goes down, without a
notice. One direction is cut by an unused hardware address for a neighbour: packets to it are silently dropped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NOBODY: Final = "02:00:00:00:ff:ff"
_PATH: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


class NoNamespaces(Exception):
    """This system, or this user, may not make network namespaces."""


class Network:
    """Machines 1 to *count*, each with the address `address(number)`.

    Args:
        count: the number of machines.
        stack: ends them.

    Raises:
        NoNamespaces: there can be none.
    """

    def __init__(self, count: int, stack: contextlib.ExitStack) -> None:
        tools = [shutil.which(name, path=_PATH) for name in ("ip", "unshare", "nsenter")]
        if None in tools:
            raise NoNamespaces("the commands ip, unshare and nsenter are not all here")
        self._stack = stack
        self._is_root = os.geteuid() == 0
        self._switch = self._namespace(() if self._is_root else ("--user", "--map-root-user"), ())
        self._machines = [self._namespace((), self._within(self._switch)) for _ in range(count)]
        self._ip(self._switch, "link add name br0 type bridge", "link set br0 up")
        for number, machine in enumerate(self._machines, 1):
            port = f"p{number}"
            self._ip(
                self._switch,
                f"link add name {port} type veth peer name eth0 address {_hardware(number)} netns {machine}",
                f"link set {port} master br0",
                f"link set {port} up",
            )
            self._ip(machine, "link set lo up", f"addr add {address(number)}/24 dev eth0", "link set eth0 up")
        for number in range(1, count + 1):
            for other in range(1, count + 1):
                if other != number:
                    self.mend_one_way(number, other)

    def _namespace(self, options: Sequence[str], before: Sequence[str]) -> int:
        """Return the OS process that keeps a new namespace."""
        command = [*before, "unshare", "--net", *options, "sh", "-c", "echo; exec sleep 3600"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PATH": _PATH}
        )
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        assert process.stdout is not None
        assert process.stderr is not None
        if not process.stdout.readline():
            raise NoNamespaces(process.stderr.read().strip())
        return process.pid

    def _within(self, namespace: int) -> list[str]:
        user = [] if self._is_root else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(namespace), "--net", *user]

    def _ip(self, namespace: int, *commands: str) -> None:
        ended = subprocess.run(
            [*self._within(namespace), "ip", "-batch", "-"],
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PATH": _PATH},
        )
        if ended.returncode:
            raise NoNamespaces(ended.stderr.strip())

    def on(self, number: int) -> list[str]:
        """Return what a command begins with that runs on a machine."""
        return self._within(self._machines[number - 1])

    def cut(self, number: int) -> None:
        """Pull the cable of a machine."""
        self._ip(self._switch, f"link set p{number} down")

    def mend(self, number: int) -> None:
        """Put the cable back."""
        self._ip(self._switch, f"link set p{number} up")

    def cut_one_way(self, sender: int, receiver: int) -> None:
        """Let nothing that one machine sends to another arrive."""
        self._neighbour(sender, receiver, _NOBODY)

    def mend_one_way(self, sender: int, receiver: int) -> None:
        """Undo `cut_one_way`."""
        self._neighbour(sender, receiver, _hardware(receiver))

    def _neighbour(self, sender: int, receiver: int, hardware: str) -> None:
        self._ip(
            self._machines[sender - 1],
            f"neigh replace {address(receiver)} lladdr {hardware} dev eth0 nud permanent",
        )


def address(number: int) -> str:
    """Return the address of a machine."""
    return f"10.77.0.{number}"


def _hardware(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


@contextlib.contextmanager
def network(count: int) -> Iterator[Network]:
    """Make a network, and end it; errors as `Network`."""
    with contextlib.ExitStack() as stack:
        yield Network(count, stack)
