"""The OS process of a node: its start, its setup and its end."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from capsend.exceptions import CapsendError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STARTING: Final = 60.0
_ENDING: Final = 5.0
_PROGRAM: Final = "capsend.cluster.program"


class Program:
    """An OS process that is a node.

    Its setup, with the secrets, comes through a pipe that no other program can read; it ends when the pipe is closed.

    Args:
        setup: the line for `capsend.cluster.program`, as a dict.
    """

    def __init__(self, setup: Mapping[str, Any]) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry or os.curdir for entry in sys.path)}
        self._name = f"node {str(setup['id']).partition('.')[0]}"
        self._process = subprocess.Popen(  # noqa: S603 - our interpreter, our arguments
            [sys.executable, "-P", "-m", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,  # a Ctrl-C is for home, which then ends its nodes
        )
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: noticed when its answer is read
            self._process.stdin.write(json.dumps(dict(setup)) + "\n")
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        """The id of the OS process."""
        return self._process.pid

    def port(self) -> int:
        """Wait until the node is listening; return its port.

        Raises:
            CapsendError: the OS process ended, or did not listen within a minute.
        """
        timer = threading.Timer(_STARTING, self._process.kill)
        timer.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        timer.cancel()
        self._process.stdout.close()
        if not line:
            raise CapsendError(
                f"{self._name} did not start: its program ended with code {self._process.wait()}. The reason is on its standard error"
            )
        return int(line)

    def kill(self) -> None:
        """End the node at once: if it is frozen, it must not continue."""
        self._process.kill()

    def wait(self) -> int:
        """Wait for its end and return its exit code: 0 if it ended on its own because home was gone."""
        return self._process.wait()

    def dismiss(self) -> None:
        """Ask the node to end."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def end(self) -> None:
        """Ask the node to end and wait for it; kill it if that takes long."""
        self.dismiss()
        try:
            self._process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
