"""Nodes as OS processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from capsend.cluster.engines import Started
from capsend.cluster.lines import TOKEN_BYTES, Token
from capsend.exceptions import CapsendError

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.cluster.engines import Setup

_LOOPBACK: Final = "127.0.0.1"
_STARTING: Final = 60.0
_ENDING: Final = 5.0
_PROGRAM: Final = "capsend.cluster.program"


class LocalEngine:
    """Starts nodes as OS processes of this machine, each with an interpreter of its own. They end with the program that started them.

    A node gets the token over a pipe, which nobody else reads, and ends when the pipe does.

    Args:
        nodes: the number of nodes.
    """

    def __init__(self, nodes: int) -> None:
        self._count = nodes
        self._secret = os.urandom(TOKEN_BYTES)
        self.credentials = Token(self._secret)
        self._programs: dict[str, subprocess.Popen[str]] = {}

    def start(self, setup: Setup) -> list[Started]:
        """Start all nodes at once, and return them when all listen."""
        run = os.urandom(6).hex()
        try:
            for number in range(setup.first, setup.first + self._count):
                self._begin(f"{number}.{run}", number, setup)
            return [self._started(id_, program) for id_, program in self._programs.items()]
        except BaseException:
            self.stop()
            raise

    def _begin(self, id_: str, number: int, setup: Setup) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry or os.curdir for entry in sys.path)}
        program = self._programs[id_] = subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
            [sys.executable, "-P", "-m", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,  # a Ctrl-C is for home, which ends its nodes
        )
        assert program.stdin is not None
        told = {
            "id": id_,
            "number": number,
            "host": _LOOPBACK,
            "token": self._secret.hex(),
            "heartbeat": setup.heartbeat,
            "lost_after": setup.lost_after,
        }
        with contextlib.suppress(OSError):  # it has ended: seen when its answer is read
            program.stdin.write(json.dumps(told) + "\n")
            program.stdin.flush()

    def _started(self, id_: str, program: subprocess.Popen[str]) -> Started:
        timer = threading.Timer(_STARTING, program.kill)
        timer.start()
        assert program.stdout is not None
        line = program.stdout.readline()
        timer.cancel()
        program.stdout.close()
        if not line:
            raise CapsendError(
                f"node {id_.partition('.')[0]} did not start: its program ended with code {program.wait()}. Its standard error says why"
            )
        return Started(f"node {id_.partition('.')[0]}", id_, _LOOPBACK, int(line))

    def watch(self, joined: Callable[[Started], object], left: Callable[[str, str], object]) -> None:
        """Do nothing: no node joins later, and the connection of one that ends says so at once."""

    def discard(self, id_: str) -> None:
        """Kill a node's OS process: it may be frozen, and must not go on."""
        program = self._programs.get(id_)
        if program is not None:
            program.kill()

    def is_running(self, id_: str) -> bool:
        """Return whether a node's OS process has not ended."""
        program = self._programs.get(id_)
        return program is not None and program.poll() is None

    def pid_of(self, id_: str) -> int | None:
        """Return the number of a node's OS process."""
        program = self._programs.get(id_)
        return None if program is None else program.pid

    def stop(self) -> None:
        """End all nodes, and wait until they have ended."""
        programs = list(self._programs.values())
        for program in programs:
            if program.stdin is not None:
                with contextlib.suppress(OSError):
                    program.stdin.close()
        for program in programs:
            try:
                program.wait(_ENDING)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
            if program.stdout is not None:
                program.stdout.close()
