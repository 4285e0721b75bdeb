"""The children of this process: their handles, and the host operations on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from capsend.codec.headers import Join, Joined, Pair, Spawn
from capsend.codec.operations import LARGEST_PAYLOAD, Operation, RefusalWord
from capsend.codec.segments import size_of
from capsend.codec.text import dumps, loads
from capsend.exceptions import CapsendError, CaptureError, LimitExceeded

from . import handles, host_operations, transit
from .handles import Handle
from .refusals import Problems, refusal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_HEAD = 2 << 20
_PROBLEMS: Problems = {
    RefusalWord.LIMIT: (LimitExceeded, "{1}"),
    RefusalWord.HANDLE: (CaptureError, "{1}"),
    RefusalWord.HANDLES: (LimitExceeded, "this process holds too many handles"),
    RefusalWord.FORGED: (CapsendError, "this process does not hold that process"),
    RefusalWord.REFUSED: (CapsendError, "{1}"),
}


class Child(Handle):
    """A child of this process; the host ends it when this object goes."""

    __slots__ = ("address", "process_id")

    def __init__(self, number: int, description: Any) -> None:
        super().__init__(number)
        self.process_id: int = description[0]
        self.address: Any = None


handles.KINDS["process"] = Child


def spawn(head: dict[str, Any], program: str, call: str, segments: Sequence[bytes] = ()) -> Child:
    """Have the host start a process.

    Args:
        head: the name, the limits and so on, as read by `capsend.runtime.child_operations`.
        program: the text of the program.
        call: the text of the arguments.
        segments: the bytes that travel next to the text.

    Raises:
        CapsendError: the host refused.
    """
    told = dumps({**head, "segments": transit.name(segments)} if segments else head)
    if len(told) > _LONGEST_HEAD:
        raise LimitExceeded(
            f"the rights of {head['name']} take {len(told)} bytes to describe; {_LONGEST_HEAD} is the most. "
            "Give it folders rather than the paths in them"
        )
    payload = Spawn(told, program, call).write()
    size = len(payload) + size_of(segments)
    if size > LARGEST_PAYLOAD:
        raise LimitExceeded(
            f"{head['name']} and its arguments take {size} bytes in transit; {LARGEST_PAYLOAD} is the most that a process can send a child. "
            "Send large data in messages, in parts"
        )
    handles.flush()
    child: Child = handles.receive(loads(_asked(Operation.SPAWN, payload)))[0]
    return child


def join(child: Child, timeout: float | None) -> tuple[str, list[Any], str] | None:
    """Wait for the end of a child.

    Returns:
        (kind, handles, text) as reported by the host; None if the end has not come in time.
    """
    handles.flush()
    answer = _asked(Operation.JOIN, Join(str(child.number), timeout).write())
    if not answer:
        return None
    kind, total, told, text = Joined.read(answer)
    parts = [text]
    missing = total - len(text)
    while missing > 0:
        # A plain request, not an operation with refusal words: a part may begin with any character.
        parts.append(host_operations.request(Operation.MORE, str(child.number)))
        if not parts[-1]:
            break  # the reader of the text will report that it is incomplete
        missing -= len(parts[-1])
    return kind, handles.receive(loads(told)) if told else [], "".join(parts)


def kill(child: Child) -> None:
    """End a child."""
    host_operations.request(Operation.KILL, str(child.number))


def stats(child: Child) -> dict[str, Any]:
    """Return a child's figures and the reason of its end."""
    told: dict[str, Any] = loads(_asked(Operation.STATS, str(child.number)))
    return told


def await_end(child: Child, tag: int) -> None:
    """Request a notice with this tag for the end of a child."""
    _asked(Operation.AWAIT, Pair(str(tag), str(child.number)).write())


def address(child: Child) -> Any:
    """Return the address of a child."""
    if child.address is None:
        child.address = handles.receive(loads(_asked(Operation.ADDRESS, str(child.number))))[0]
    return child.address


def link(child: Child, other: int) -> None:
    """Link two children."""
    _asked(Operation.LINK_CHILDREN, Pair(str(child.number), str(other)).write())


def unlink(child: Child, other: int) -> None:
    """Undo a link between two children."""
    _asked(Operation.UNLINK_CHILDREN, Pair(str(child.number), str(other)).write())


def _asked(operation: int, payload: str) -> str:
    answer = host_operations.request(operation, payload)
    if answer.startswith("!"):
        raise refusal_of(answer, _PROBLEMS)
    return answer
