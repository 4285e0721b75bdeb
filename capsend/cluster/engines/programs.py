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
    """An OS process that is a node. It gets its setup, with the secrets in it, over a pipe, which nobody else reads, and ends when the pipe does.

    Args:
        setup: the line that `capsend.cluster.program` reads, as a dict.
    """

    def __init__(self, setup: Mapping[str, Any]) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry or os.curdir for entry in sys.path)}
        self._name = f"node {str(setup['id']).partition('.')[0]}"
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
            [sys.executable, "-P", "-m", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,  # a Ctrl-C is for home, which ends its nodes
        )
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: seen when its answer is read
            self._process.stdin.write(json.dumps(dict(setup)) + "\n")
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        """The number of the OS process."""
        return self._process.pid

    def port(self) -> int:
        """Return the port on which it listens, once it does.

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
        """End it at once: it may be frozen, and must not go on."""
        self._process.kill()

    def wait(self) -> int:
        """Wait until it has ended, and return its code: 0 when it ended by itself, as its home went."""
        return self._process.wait()

    def dismiss(self) -> None:
        """Have it end."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def end(self) -> None:
        """Have it end, and wait until it has; kill it when that takes long."""
        self.dismiss()
        try:
            self._process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
