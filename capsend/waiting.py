"""Waiting for what other threads do."""

from __future__ import annotations

import threading


class Condition(threading.Condition):
    """A condition whose lock may be taken again by the thread that has it."""

    def __init__(self) -> None:
        super().__init__(threading.RLock())
