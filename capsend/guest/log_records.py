"""Log records of a guest: forwarded to the host's loggers unless the program configures logging."""

from __future__ import annotations

import logging
from typing import Any

from capsend.codec.headers import Record
from capsend.codec.operations import Operation

from . import host_operations


class _ToHost(logging.Handler):
    """Forwards records to the host's logging while the program has not configured its own."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        try:
            name = record.name.replace(":", ".").replace(" ", "_")
            host_operations.request(Operation.RECORD, Record(record.levelno, name, self.format(record)).write())
        except Exception:  # noqa: BLE001 - as in every handler
            self.handleError(record)


_configure_as_told = logging.basicConfig


def _configure(**told: Any) -> None:
    """Configure logging as the program requests; a configuration without handlers, as by `logging.warning`, forwards records to the host."""
    level = told.pop("level", None)
    if told:
        _configure_as_told(level=level, **told)
    elif level is not None:
        logging.getLogger().setLevel(level)


def install() -> None:
    """Forward log records to the host."""
    logging.lastResort = _ToHost()
    logging.basicConfig = _configure
