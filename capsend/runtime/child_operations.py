"""A process's host operations on its children: text in, text out, every part checked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote

import attrs

from capsend import codec
from capsend.capabilities.folders import DirGrant
from capsend.capabilities.handles import MOST_HANDLES, Grant, TooManyHandles
from capsend.codec.headers import Join, Joined, Pair, Spawn
from capsend.codec.operations import LARGEST_PAYLOAD, Operation, RefusalWord
from capsend.exceptions import LimitExceeded
from capsend.mailbox import byte_messages
from capsend.runtime.children import Child, ProcessGrant, narrow, spawn
from capsend.runtime.dispatch import Refused, do
from capsend.runtime.shipments import EntryRight, ModuleRight, Runnable
from capsend.runtime.tree import NoRoom
from capsend.shipping.child_shipment import ChildShipment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from capsend.runtime.life import Life

_LONGEST_HEAD: Final = 2 << 20
_HEAD: Final = codec.Limits(max_chars=_LONGEST_HEAD, max_nodes=10, max_items=5_000)
_COPIES: Final = 2  # the host keeps the texts of a shipment, and their bytes, while the process runs
_VARIABLE: Final = 200  # bytes of an environment variable in the host, in addition to its texts
_HANDLE: Final = 1 << 10  # bytes of a handle in the host, in addition to its words
_LONGEST_NAME: Final = 200
_LONGEST_WORDS: Final = 500


class ChildOperations:
    """The operations of one process on its children; used only on the process's thread."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def answer(self, operation: int, payload: str) -> str:
        """Do one operation."""
        return do(operation, payload, owner=self, table=self._operations)

    def _spawn(self, payload: str) -> str:
        """Do `head`, a line break, `program`, a line break, `call`; the head is JSON. Returns: the new handle."""
        head, program, call = Spawn.read(payload)
        told = _Head.read(head)
        life = self._life
        if len(life.handles) >= MOST_HANDLES:
            raise TooManyHandles
        if told.link:
            life.mail.check_watches()
        grants = tuple(self._grant(name) for name in told.handles)
        if told.entry is not None:
            child = self._start(self._entry(told.entry).shipment(_bytes(call), grants), told)
            return codec.dumps(life.handles.deliver([ProcessGrant(child)]))
        assert life.shipment is not None
        shipment = ChildShipment.pack(
            program,
            call,
            name=told.name,
            grants=grants,
            takes_mailbox=told.mailbox,
            sender=life.shipment,
            segments=life.transit.read(told.segments, charge=_check_payload),
        )
        child = self._start(shipment, told)
        return codec.dumps(life.handles.deliver([ProcessGrant(child)]))

    def _entry(self, number: int) -> EntryRight:
        grant = self._life.handles.get(number)
        if not isinstance(grant, EntryRight):
            raise Refused(RefusalWord.FORGED)
        return grant

    def _start(self, shipment: ChildShipment | Runnable, told: _Head) -> Child:
        try:
            limits, parent = told.limits, self._life.terms_of_children
            if isinstance(shipment, Runnable):
                limits = {"memory": shipment.usual_memory(parent), **limits}
            environment = narrow(parent, limits)
            if isinstance(shipment, Runnable):
                shipment.check(environment)
            else:
                environment.check_python()
            texts = shipment.size + told.size_of_handles + _size_of(environment.env)
            size = _COPIES * texts + _HANDLE * len(shipment.grants)
            return spawn(self._life, shipment, environment, size=size, linked=told.link)
        except NoRoom as lack:
            raise _refused(RefusalWord.LIMIT, str(lack)) from None
        except (LimitExceeded, TypeError, ValueError) as error:
            raise _refused(RefusalWord.LIMIT, str(error)) from None
        except Exception as error:  # noqa: BLE001 - an audit hook may raise anything; the text of its error stays on the host
            why = str(error) if type(error) is RuntimeError else type(error).__name__
            raise _refused(RefusalWord.REFUSED, why) from None

    def _grant(self, name: str) -> Grant:
        """Return the grant of a handle in a spawn; `7r/a%2Cb` is the path `a,b` in the folder of handle 7, read-only."""
        number, slash, quoted = name.partition("/")
        read_only = number.endswith("r")
        grant = self._life.handles.get(int(number.removesuffix("r")))
        if grant is None or isinstance(grant, ProcessGrant):
            raise Refused(RefusalWord.FORGED) if grant is None else Refused(RefusalWord.HANDLE, grant.refusal)
        if not read_only and not slash:
            return grant
        if not isinstance(grant, DirGrant):
            raise Refused(RefusalWord.MALFORMED)
        held = grant.read_only() if read_only else grant
        return held.at(unquote(quoted, errors="surrogatepass")) if slash else held

    def _child(self, number: str) -> Child:
        grant = self._life.handles.get(int(number))
        if not isinstance(grant, ProcessGrant):
            raise Refused(RefusalWord.FORGED)
        return grant.child

    def _join(self, payload: str) -> str:
        """Do `number timeout`. Returns: `kind size length handles text`, or empty when the time is over."""
        number, timeout = Join.read(payload)
        child = self._child(number)
        if not self._wait(child, timeout):
            return ""
        outcome = child.outcome()
        if outcome is None:
            raise Refused(RefusalWord.TAKEN)
        handles = codec.dumps(self._life.handles.deliver(outcome.grants)) if outcome.grants else ""
        return Joined(outcome.kind, len(outcome.text), handles, child.take(outcome)).write()

    def _wait(self, child: Child, seconds: float | None) -> bool:
        guest = self._life.guest
        assert guest is not None
        end = None if seconds is None else time.monotonic() + seconds
        while child.life.reason is None:
            left = None if end is None else end - time.monotonic()
            if guest.interrupted or guest.disturbed or (left is not None and left <= 0):
                return False
            guest.park(left)
        return True

    def _more(self, payload: str) -> str:
        """Do `number`. Returns: the next part of a result."""
        return self._child(payload).more()

    def _function(self, payload: str) -> str:
        """Do `number name`. Returns: the handle of a module's function."""
        number, name = Pair.read(payload)
        grant = self._life.handles.get(int(number))
        if not isinstance(grant, ModuleRight):
            raise Refused(RefusalWord.FORGED)
        found = grant.function(name)
        if found is None:
            raise Refused(RefusalWord.MISSING)
        return codec.dumps(self._life.handles.deliver([found]))

    def _kill(self, payload: str) -> str:
        """Do `number`. Returns: nothing."""
        self._child(payload).life.kill()
        return ""

    def _stats(self, payload: str) -> str:
        """Do `number`. Returns: JSON."""
        life = self._child(payload).life
        return codec.dumps({"id": life.number, "reason": life.reason, **attrs.asdict(life.stats())})

    def _await(self, payload: str) -> str:
        """Do `tag number`: request one notice with that tag at the end of the child."""
        tag, number = Pair.read(payload)
        self._life.mail.await_end(tag, self._child(number).life.mail.port)
        return ""

    def _address(self, payload: str) -> str:
        """Do `number`. Returns: the handle of the child's address."""
        return codec.dumps(self._life.handles.deliver([self._child(payload).life.mail.grant()]))

    def _link(self, payload: str) -> str:
        """Do `number number`: link two children, so that each is notified when the other ends."""
        one, other = (self._child(number).life.mail for number in Pair.read(payload))
        one.check_watches()
        other.check_watches()
        one.link(other.port)
        return ""

    def _unlink(self, payload: str) -> str:
        """Do `number number`: undo a link."""
        one, other = (self._child(number).life.mail for number in Pair.read(payload))
        one.unlink(other.port)
        return ""

    _operations: ClassVar[dict[int, Callable[[ChildOperations, str], str]]] = {
        Operation.SPAWN: _spawn,
        Operation.JOIN: _join,
        Operation.KILL: _kill,
        Operation.STATS: _stats,
        Operation.AWAIT: _await,
        Operation.ADDRESS: _address,
        Operation.LINK_CHILDREN: _link,
        Operation.MORE: _more,
        Operation.ENTRY: _function,
        Operation.UNLINK_CHILDREN: _unlink,
    }


@attrs.frozen
class _Head:
    """The head of a spawn: everything that a process requests for its child, apart from the program."""

    name: str
    mailbox: bool
    link: bool
    handles: list[str]
    limits: dict[str, Any]
    entry: int | None
    segments: str

    @property
    def size_of_handles(self) -> int:
        """Characters of its handles, which may be long paths."""
        return sum(map(len, self.handles))

    @classmethod
    def read(cls, text: str) -> _Head:
        """Read the text of a head.

        Raises:
            ValueError: the text is not a head.
        """
        told = codec.parse(text, _HEAD, depth=4) if len(text) <= _LONGEST_HEAD else None
        if type(told) is not dict:
            raise ValueError("no head")
        name, handles, limits = told.get("name", ""), told.get("handles", ""), told.get("limits", {})
        entry = told.get("entry")
        if entry is not None and type(entry) is not int:
            raise ValueError("no head")
        segments = told.get("segments", "")
        flags = [told.get(flag, 0) for flag in ("mailbox", "link")]
        if type(name) is not str or type(handles) is not str or type(segments) is not str or type(limits) is not dict:
            raise ValueError("no head")
        if any(flag not in (0, 1) for flag in flags):
            raise ValueError("no head")
        numbers = handles.split(",", MOST_HANDLES) if handles else []
        if len(numbers) > MOST_HANDLES:
            raise TooManyHandles
        shown = "".join(letter if letter.isprintable() else "?" for letter in name[:_LONGEST_NAME])
        return cls(shown, bool(flags[0]), bool(flags[1]), numbers, limits, entry, segments)


def _check_payload(size: int) -> None:
    """Refuse segments of arguments that are larger than a text could be."""
    if size > LARGEST_PAYLOAD:
        raise _refused(
            RefusalWord.LIMIT,
            f"arguments of {size} bytes; {LARGEST_PAYLOAD} is the most that a process can send a child",
        )


def _bytes(text: str) -> bytes:
    """Return the argument of a module's function.

    Raises:
        ValueError: the text does not encode bytes.
    """
    if not text.isascii():
        raise ValueError("no argument")
    message = byte_messages.of_text(text, ())
    if message.kind != byte_messages.BYTES or message.grants:
        raise ValueError("no argument")
    return message.data


def _refused(word: RefusalWord, why: str) -> Refused:
    return Refused(word, why[:_LONGEST_WORDS].encode("ascii", "backslashreplace").decode())


def _size_of(variables: Mapping[str, str]) -> int:
    """Return the bytes of host memory that environment variables take: as kept, and as sent to the process."""
    return sum(_VARIABLE + len(codec.dumps((name, text))) + 4 * len(name + text) for name, text in variables.items())
