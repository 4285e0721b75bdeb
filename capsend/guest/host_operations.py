"""The way out of a process: the numbered operations that the host answers."""

from __future__ import annotations

import wit_world

END = 0
STDOUT = 1
STDERR = 2
SLEEP = 3
ANSWER = 4
FLUSH = 5
CPU = 6
WARN = 7
LOOK = 8

_LARGEST = 1 << 25

SEND = 10
RECEIVE = 11
FORGET = 12
MONITOR = 13
DEMONITOR = 14
LINK = 15
UNLINK = 16
TRAP = 17
SEND_AFTER = 18
CANCEL = 19
OWN = 20
RECORD = 21
DROP = 22

CALL = 40

SPAWN = 50
JOIN = 51
KILL = 52
STATS = 53
AWAIT = 54
ADDRESS = 55
LINK_CHILDREN = 56
MORE = 57
ENTRY = 58
UNLINK_CHILDREN = 59


def request(operation: int, payload: str) -> str:
    """Ask the host for an operation and return its answer; both are text."""
    answer: str = wit_world.host(operation, payload)
    return answer


def deliver(answer: str) -> str:
    """Send the beginning of an answer ahead, in parts, and return the rest: one call carries 128 MiB at most."""
    start = 0
    while len(answer) - start > _LARGEST:
        request(ANSWER, answer[start : start + _LARGEST])
        start += _LARGEST
    return answer[start:] if start else answer
