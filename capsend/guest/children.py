"""The children of this process: their handles, and the host operations on them."""

from __future__ import annotations

import sys
from typing import Any

from capsend.codec.text import dumps, loads

from . import handles, host_operations
from .handles import Handle

_LARGEST = 1 << 25
_LONGEST_HEAD = 2 << 20
_PROBLEMS = {
    "!limit": ("LimitExceeded", "{0}"),
    "!handle": ("CaptureError", "{0}"),
    "!handles": ("LimitExceeded", "this process holds too many handles"),
    "!calls": ("LimitExceeded", "too many calls are waiting for their answers"),
    "!watches": ("LimitExceeded", "too many processes are being monitored"),
    "!forged": ("CapsendError", "this process does not hold that process"),
    "!refused": ("CapsendError", "{0}"),
}


class Child(Handle):
    """A child of this process; the host ends it when this object goes."""

    __slots__ = ("address", "process_id")

    def __init__(self, number: int, description: Any) -> None:
        super().__init__(number)
        self.process_id: int = description[0]
        self.address: Any = None


handles.KINDS["process"] = Child


def spawn(head: dict[str, Any], program: str, call: str) -> Child:
    """Have the host start a process.

    Raises:
        CapsendError: the host refuses.
    """
    errors: Any = sys.modules["capsend"]
    told = dumps(head)
    if len(told) > _LONGEST_HEAD:
        raise errors.LimitExceeded(
            f"the rights of {head['name']} take {len(told)} bytes to tell, and {_LONGEST_HEAD} can be told. "
            "Give it folders rather than the paths in them"
        )
    payload = f"{told}\n{program}\n{call}"
    if len(payload) > _LARGEST:
        raise errors.LimitExceeded(
            f"{head['name']} and its arguments take {len(payload)} bytes in transit, and what a process spawns can take {_LARGEST}. "
            "Send large data in messages, in parts"
        )
    handles.flush()
    child: Child = handles.receive(loads(_asked(host_operations.SPAWN, payload)))[0]
    return child


def join(child: Child, timeout: float | None) -> tuple[str, list[Any], str] | None:
    """Wait for the end of a child.

    Returns:
        (kind, handles, text) as the host reports them, or None when the end has not come in time.
    """
    handles.flush()
    answer = _asked(host_operations.JOIN, f"{child.number} {-1.0 if timeout is None else max(float(timeout), 0.0)!r}")
    if not answer:
        return None
    kind, total, length, rest = answer.split(" ", 3)
    told, parts = rest[: int(length)], [rest[int(length) :]]
    missing = int(total) - len(parts[0])
    while missing > 0:
        # Not `_asked`: a part may begin with anything, a word of refusal included.
        parts.append(host_operations.request(host_operations.MORE, str(child.number)))
        if not parts[-1]:
            break  # the reader of the text will report that it has no end
        missing -= len(parts[-1])
    return kind, handles.receive(loads(told)) if told else [], "".join(parts)


def kill(child: Child) -> None:
    """End a child."""
    host_operations.request(host_operations.KILL, str(child.number))


def stats(child: Child) -> dict[str, Any]:
    """Return the resources that a child has used, and the reason of its end."""
    told: dict[str, Any] = loads(_asked(host_operations.STATS, str(child.number)))
    return told


def await_end(child: Child, tag: int) -> None:
    """Ask for a notice with that tag when a child has ended."""
    _asked(host_operations.AWAIT, f"{tag} {child.number}")


def address(child: Child) -> Any:
    """Return the address of a child."""
    if child.address is None:
        child.address = handles.receive(loads(_asked(host_operations.ADDRESS, str(child.number))))[0]
    return child.address


def link(child: Child, other: int) -> None:
    """Link two children."""
    _asked(host_operations.LINK_CHILDREN, f"{child.number} {other}")


def unlink(child: Child, other: int) -> None:
    """Undo a link between two children."""
    _asked(host_operations.UNLINK_CHILDREN, f"{child.number} {other}")


def _asked(operation: int, payload: str) -> str:
    answer = host_operations.request(operation, payload)
    if answer.startswith("!"):
        word, _, rest = answer.partition(" ")
        errors: Any = sys.modules["capsend"]
        kind, text = _PROBLEMS.get(word, ("CapsendError", "the host refused it ({0})"))
        raise getattr(errors, kind)(text.format(rest or word))
    return answer
