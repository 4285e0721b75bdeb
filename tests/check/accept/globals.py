"""Globals that stay as they are, loggers, the standard library and `PerProcess` tables can be read."""

import logging
import math
import os
import sys
from typing import ClassVar, Final

from capsend import PerProcess, spawn

LIMIT: Final = 10
NAMES: Final[tuple[str, ...]] = ("a", "b")
SIZE = 3
TABLE: PerProcess[dict[str, int]] = {"a": 1}
LOG = logging.getLogger(__name__)


class Conf:
    names: ClassVar[tuple[str, ...]] = ("x",)
    size = 2


def reads() -> int:
    LOG.debug("reading")
    sys.stdout.write("")
    os.environ.get("HOME")
    return LIMIT + len(NAMES) + SIZE + TABLE["a"] + len(Conf.names) + Conf.size + int(math.pi)


def run() -> None:
    assert spawn(reads).result() == 22
    assert spawn(lambda: reads()).result() == 22
