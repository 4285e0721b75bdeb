"""Nodes as OS processes on this machine."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from capsend.cluster.engines import Started
from capsend.cluster.engines.programs import Program
from capsend.cluster.lines import TOKEN_BYTES, Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.cluster.engines import Left, Setup
    from capsend.cluster.lines import Credentials

_LOOPBACK: Final = "127.0.0.1"


class LocalEngine:
    """Starts nodes as OS processes on this machine, each with its own interpreter. They end with the program that started them.

    Args:
        nodes: the number of nodes.
    """

    def __init__(self, nodes: int) -> None:
        self._count = nodes
        self._secret = os.urandom(TOKEN_BYTES)
        self.credentials: Credentials = Token(self._secret)
        self._programs: dict[str, Program] = {}

    def start(self, setup: Setup) -> list[Started]:
        """Start all nodes at once; return them once all are listening."""
        run = os.urandom(6).hex()
        told = {
            "host": _LOOPBACK,
            "token": self._secret.hex(),
            "heartbeat": setup.heartbeat,
            "lost_after": setup.lost_after,
        }
        try:
            for number in range(setup.first, setup.first + self._count):
                id_ = f"{number}.{run}"
                self._programs[id_] = Program({"id": id_, "number": number, **told})
            return [
                Started(f"node {id_.partition('.')[0]}", id_, _LOOPBACK, program.port())
                for id_, program in self._programs.items()
            ]
        except BaseException:
            self.stop()
            raise

    def watch(self, joined: Callable[[Started], object], left: Left) -> None:  # noqa: ARG002 - none joins later
        """Report nodes whose OS processes have ended."""

        def wait(id_: str, program: Program) -> None:
            left(id_, f"its OS process ended with code {program.wait()}", has_ended=True)

        for each in self._programs.items():
            threading.Thread(target=wait, args=each, name="capsend waits for a node", daemon=True).start()

    def discard(self, id_: str) -> None:
        """Kill a node's OS process: if it is frozen, it must not continue."""
        program = self._programs.get(id_)
        if program is not None:
            program.kill()

    def retire(self, id_: str) -> None:
        """End a drained node without replacing it."""
        self.discard(id_)

    def pid_of(self, id_: str) -> int | None:
        """Return the id of a node's OS process."""
        program = self._programs.get(id_)
        return None if program is None else program.pid

    def stop(self) -> None:
        """End all nodes, and wait for their end."""
        programs = list(self._programs.values())
        for program in programs:
            program.dismiss()
        for program in programs:
            program.end()
