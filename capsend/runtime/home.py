"""The home of processes: the program that runs their calls of host functions, and gets their warnings and log records.

It is this program, unless the processes run for a program on another machine.
"""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

_log: Final = logging.getLogger("capsend.process")


# A life is Any in this module, which the module of lives imports.


class Calls(Protocol):
    """The calls of host functions by one process; used only on the process's thread."""

    def answer(self, guest: Any, payload: str) -> str:
        """Do one call; see `HostCalls.answer`."""

    def close(self) -> None:
        """End together with the process."""


class Home(Protocol):
    """The program that processes belong to."""

    @property
    def log_level(self) -> int:
        """The lowest level of log records that it takes."""

    def calls_of(self, life: Any) -> Calls:
        """Return the object that makes the calls of a process."""

    def warn(self, life: Any, payload: str) -> str:
        """Show a warning of a process; see `process_warnings.warn`."""

    def record(self, number: int, level: int, name: str, text: str) -> None:
        """Take a log record of a process.

        Args:
            number: the process's number.
            level: the record's level, from 0 to 50.
            name: the process's logger.
            text: the message.
        """


class ThisProgram:
    """The usual home: the program in which the processes run."""

    @property
    def log_level(self) -> int:
        """The level of the logger "capsend.process"."""
        return _log.getEffectiveLevel()

    def calls_of(self, life: Any) -> Calls:
        """Return an object that makes the calls on a separate thread."""
        from capsend.runtime.call_operations import HostCalls

        assert life.shipment is not None
        return HostCalls(life.number, life.handles, life.shipment, turns=life.turns, transit=life.transit)

    def warn(self, life: Any, payload: str) -> str:
        """Issue a warning as the program's own code would."""
        from capsend.runtime import process_warnings

        files = life.shipment.files() if hasattr(life.shipment, "files") else frozenset()
        return process_warnings.warn(payload, number=life.number, files=files)

    def record(self, number: int, level: int, name: str, text: str) -> None:
        """Log a record through the program's handlers."""
        extra = {"process_id": number, "process_logger": name}
        _log.log(level, "process %d: %s: %s", number, name, text, extra=extra)


THIS_PROGRAM: Final = ThisProgram()
