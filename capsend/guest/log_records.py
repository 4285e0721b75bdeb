"""Log records of a guest: they go to the loggers of the host, where a program has not set up logging itself."""

from __future__ import annotations

import logging
from typing import Any

from capsend.codec.headers import Record
from capsend.codec.operations import Operation

from . import host_operations


class _ToHost(logging.Handler):
    """Hands records to the host's logging, where a program has not set up its own."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        try:
            name = record.name.replace(":", ".").replace(" ", "_")
            host_operations.request(Operation.RECORD, Record(record.levelno, name, self.format(record)).write())
        except Exception:  # noqa: BLE001 - as in every handler
            self.handleError(record)


_configure_as_told = logging.basicConfig


def _configure(**told: Any) -> None:
    """Set logging up as the program asks; a set-up without handlers, such as that of `logging.warning`, sends records to the host."""
    level = told.pop("level", None)
    if told:
        _configure_as_told(level=level, **told)
    elif level is not None:
        logging.getLogger().setLevel(level)


def install() -> None:
    """Send log records to the host."""
    logging.lastResort = _ToHost()
    logging.basicConfig = _configure
