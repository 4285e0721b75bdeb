"""What a guest in any language can ask of the host: the words of `docs/abi.md`, version 1, one method each.

A guest is hostile: every number that it gives is checked here, and pointers where they are followed. An answer is a number; what cannot be
done is one of the codes below.
"""

from __future__ import annotations

import codecs
import enum
import itertools
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs

from capsend.byteforms import BYTES, DOWN, EXIT, Message, message_of
from capsend.handles import MOST_HANDLES
from capsend.mail import MOST_HANDLES_IN_MESSAGE, MOST_WATCHES, Refused
from capsend.ports import Frame, Offer, PortGrant, put

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.handles import Grant
    from capsend.ports import Port
    from capsend.wasm_life import WasmLife

LONGEST_PREFIX: Final = 4_096
LONGEST_NAME: Final = 1_000
_LINK: Final = 1
_MONITOR: Final = 2
_INFO: Final = struct.Struct("<4I")
_SECONDS: Final = 366 * 86_400.0


class Code(enum.IntEnum):
    """Why something was not done."""

    MALFORMED = -1
    FORGED = -2
    DENIED = -3
    CLOSED = -4
    FULL = -5
    REFUSED = -6
    LARGE = -7
    TIMEOUT = -8
    MANY = -9
    UNSENDABLE = -10
    MISSING = -11
    LIMIT = -12
    RAISED = -13


_OFFERS: Final = {
    Offer.ACCEPTED: 0,
    Offer.CLOSED: Code.CLOSED,
    Offer.FULL: Code.FULL,
    Offer.REFUSED: Code.REFUSED,
    Offer.TOO_LARGE: Code.LARGE,
}
_WORDS: Final = {
    "!forged": Code.FORGED,
    "!right": Code.DENIED,
    "!calls": Code.MANY,
    "!watches": Code.MANY,
    "!handles": Code.MANY,
    "!malformed": Code.MALFORMED,
}


class Refusal(Exception):
    """Something is not done; `code` says why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Operations:
    """What one process asks for; used on its thread only.

    Args:
        life: whose.
        start: what it was started with.
    """

    __slots__ = (
        "_current", "_decoders", "_held", "_life", "_saved", "_saved_size", "_start", "_tags", "_watched", "value",
    )  # fmt: skip

    def __init__(self, life: WasmLife, start: Message) -> None:
        self.value = b""
        self._life = life
        self._start = start
        self._current: Message | None = None
        self._held: list[int] | None = None
        self._saved: deque[Message] = deque()
        self._saved_size = 0
        self._tags = itertools.count(1)
        self._decoders: dict[int, Any] = {}
        self._watched: dict[Port, int] = {}  # the handle with which it was asked for, by what is monitored or linked

    def answer(self, word: str, args: tuple[int, ...]) -> int:
        """Do what a word says."""
        from capsend.engine import OutOfBounds

        try:
            return self._words[word](self, *args)
        except Refusal as refusal:
            return refusal.code
        except OutOfBounds:
            return Code.MALFORMED
        except Refused as refused:
            return _WORDS.get(str(refused).partition(" ")[0], Code.MALFORMED)

    # --- the start and the end ---

    def _argument(self, info: int) -> int:
        """What the process was started with becomes the current message."""
        return self._show(self._start, info)

    def _result(self, data: int, size: int) -> int:
        """What the process ends with; the last one counts."""
        self._life.check_result(size)
        self.value = self._life.core.load(data, size)
        return 0

    # --- messages ---

    def _receive(self, info: int, prefix: int, prefix_size: int, timeout: int) -> int:
        """The next message that begins like this becomes the current one; the others stay, in their order."""
        if prefix_size > LONGEST_PREFIX:
            return Code.LARGE
        core = self._life.core
        core.check(info, _INFO.size)  # before a message is taken out, so that none is lost
        wanted = core.load(prefix, prefix_size)
        found = self._take_saved(wanted) or self._wait_for(wanted, _end_of(timeout))
        return Code.TIMEOUT if found is None else self._show(found, info)

    def _take_saved(self, wanted: bytes) -> Message | None:
        for index, message in enumerate(self._saved):
            if _matches(message, wanted):
                del self._saved[index]
                self._put_by(-message.size)
                return message
        return None

    def _put_by(self, size: int) -> None:
        self._saved_size += size
        self._life.mail.port.hold(len(self._saved), self._saved_size)

    def _wait_for(self, wanted: bytes, end: float | None) -> Message | None:
        core, port = self._life.core, self._life.mail.port
        while True:
            frame = port.take()
            if frame is not None:
                if frame.tag:
                    self._life.mail.close_call(frame.tag)
                    continue  # the answer to a call that nobody waits for any more
                message = message_of(frame)
                if _matches(message, wanted):
                    return message
                self._saved.append(message)
                self._put_by(message.size)
                continue
            left = None if end is None else end - time.monotonic()
            if core.interrupted or (left is not None and left <= 0):
                return None
            core.park(left)

    def _show(self, message: Message, info: int) -> int:
        """Make a message the current one, and say what it is."""
        if message.kind in {DOWN, EXIT}:
            message = attrs.evolve(message, grants=tuple(self._known(grant) for grant in message.grants))
        told = _INFO.pack(message.kind, len(message.data), len(message.grants), message.extra)
        self._life.core.save(info, told)
        self._current, self._held = message, None
        return 0

    def _known(self, gone: Any) -> Grant:
        """What has ended, by the handle that the guest knows it by, if it still holds that."""
        number = self._watched.pop(gone.port, None)
        grant = None if number is None else self._life.handles.get(number)
        return grant if isinstance(grant, PortGrant) and grant.port is gone.port else gone

    def _read(self, data: int, handles: int) -> int:
        """Copy the current message, or the part of it that is wanted."""
        message, core = self._current, self._life.core
        if message is None:
            return Code.MISSING
        if handles:
            core.check(handles, 4 * len(message.grants))
        if data:
            core.save(data, message.data)
        if handles:
            if self._held is None:
                self._held = self._hold(message.grants)
            core.save(handles, struct.pack(f"<{len(self._held)}i", *self._held))
        return 0

    def _hold(self, grants: Sequence[Grant]) -> list[int]:
        table = self._life.handles
        if len(table) + len(grants) > MOST_HANDLES:
            raise Refusal(Code.MANY)
        return [table.hold(grant) for grant in grants]

    def _send(self, to: int, data: int, size: int, handles: int, count: int, timeout: int) -> int:
        """Send bytes and handles."""
        target = self._target(to, size)
        grants = self._grants(handles, count)
        return self._put(target, Frame("", grants, tag=target.tag, data=self._life.core.load(data, size)), timeout)

    def _say(self, to: int, text: int, size: int, handles: int, count: int, timeout: int) -> int:
        """Send a Python value as codec text; whoever receives it reads it with care."""
        target = self._target(to, size)
        grants = self._grants(handles, count)
        said = self._life.core.load(text, size)
        # The form that begins with k is a pickle, which only the host may write.
        if not said or not said.isascii() or said.startswith(b"k"):
            return Code.MALFORMED
        resolve = self._life.mail.resolve
        return self._put(target, Frame(said.decode("ascii"), grants, tag=target.tag, resolve=resolve), timeout)

    def _target(self, number: int, size: int) -> PortGrant:
        target = self._life.mail.target(number, "send")
        if size > target.port.size:
            raise Refusal(Code.LARGE)
        return target

    def _grants(self, handles: int, count: int) -> tuple[Grant, ...]:
        if not count:
            return ()
        if count > MOST_HANDLES_IN_MESSAGE:
            raise Refusal(Code.MANY)
        grants = tuple(self._grant(number) for number in self._numbers(handles, count))
        if any(grant.refusal for grant in grants):
            raise Refusal(Code.UNSENDABLE)
        return grants

    def _numbers(self, handles: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}i", self._life.core.load(handles, 4 * count))

    def _grant(self, number: int) -> Grant:
        grant = self._life.handles.get(number)
        if grant is None:
            raise Refusal(Code.FORGED)
        return grant

    def _put(self, target: PortGrant, frame: Frame, timeout: int) -> int:
        seconds = None if timeout < 0 else min(timeout / 1000, _SECONDS)
        answer = put(target.port, frame, parker=self._life.core, timeout=seconds)
        self._life.mail.sent += answer is Offer.ACCEPTED
        return _OFFERS[answer]

    def _call(self, to: int, data: int, size: int, handles: int, count: int, info: int, timeout: int) -> int:
        """Send, with an address for the answer as the first handle, and wait until the answer is the current message."""
        core, mail = self._life.core, self._life.mail
        core.check(info, _INFO.size)
        target = self._target(to, size)
        grants = self._grants(handles, count)
        said = core.load(data, size)
        if target.port.reason is not None:
            return Code.CLOSED
        tag, end = next(self._tags), _end_of(timeout)
        answer_to = PortGrant(mail.port, tag, monitor=False)
        mail.open_call(tag, target.port)
        answer = self._put(target, Frame("", (answer_to, *grants), tag=target.tag, data=said), timeout)
        if answer < 0:
            mail.close_call(tag)
            return answer
        frame = self._answer_to(tag, end)
        mail.close_call(tag)
        if frame is None:
            return Code.TIMEOUT
        return Code.CLOSED if frame.kind != "m" else self._show(message_of(frame), info)

    def _answer_to(self, tag: int, end: float | None) -> Frame | None:
        core, port = self._life.core, self._life.mail.port
        while True:
            frame = port.take(urgent_only=True)
            if frame is not None:
                if frame.tag == tag:
                    return frame
                continue
            left = None if end is None else end - time.monotonic()
            if core.interrupted or (left is not None and left <= 0):
                return None
            core.park(left)

    # --- other processes ---

    def _own(self) -> int:
        """The process's own address."""
        return self._hold((self._life.mail.grant(),))[0]

    def _drop(self, handle: int) -> int:
        """Let go of one hold of a handle."""
        self._grant(handle)
        self._life.handles.drop(handle, 1)
        return 0

    def _watch(self, operation: int, handle: int) -> int:
        if len(self._watched) > 2 * MOST_WATCHES:
            self._watched = {port: number for port, number in self._watched.items() if port.reason is None}
        grant = self._life.handles.get(handle)
        if isinstance(grant, PortGrant):
            self._watched[grant.port] = handle
        answer = self._life.mail.answer(operation, str(handle))
        return _WORDS.get(answer.partition(" ")[0], Code.MALFORMED) if answer.startswith("!") else 0

    def _monitor(self, handle: int) -> int:
        """Let one notice come when it ends."""
        return self._watch(13, handle)

    def _unmonitor(self, handle: int) -> int:
        """Want no notice any more."""
        return self._watch(14, handle)

    def _link(self, handle: int) -> int:
        """Let each be told when the other ends."""
        return self._watch(15, handle)

    def _unlink(self, handle: int) -> int:
        """Undo that."""
        return self._watch(16, handle)

    def _trap(self, on: int) -> int:
        """Choose whether exits of what is linked come as messages."""
        self._life.mail.answer(17, "1" if on else "0")
        return 0

    def _spawn(self, *args: int) -> int:
        """Start a process that ends, at the latest, with this one."""
        module, name, name_size, data, size, handles, count, flags = args
        if flags > _LINK | _MONITOR or count > MOST_HANDLES_IN_MESSAGE:
            return Code.MALFORMED if flags > _LINK | _MONITOR else Code.MANY
        if name_size > LONGEST_NAME or size > self._life.environment.mailbox_bytes:
            return Code.LARGE
        core = self._life.core
        try:
            entry = core.load(name, name_size).decode()
        except UnicodeDecodeError:
            return Code.MISSING
        grants = tuple(self._grant(number) for number in self._numbers(handles, count))
        child = self._life.spawn(module, entry, data=core.load(data, size), grants=grants)
        if child >= 0 and flags & _LINK:
            self._watch(15, child)
        if child >= 0 and flags & _MONITOR:
            self._watch(13, child)
        return child

    def _kill(self, handle: int) -> int:
        """End a process that this one has started."""
        return self._life.kill_child(self._grant(handle))

    # --- the host ---

    def _invoke(self, function: int, data: int, size: int, info: int) -> int:
        """Call a function of the host with bytes; what it returns becomes the current message."""
        core = self._life.core
        core.check(info, _INFO.size)
        if size > self._life.environment.mailbox_bytes:
            return Code.LARGE
        raised, message = self._life.invoke(self._grant(function), core.load(data, size), function)
        self._show(message, info)
        return Code.RAISED if raised else 0

    def _describe(self, handle: int, data: int, size: int) -> int:
        """Write words about a handle, or the path of a folder, as far as there is room; the answer is their whole length."""
        grant = self._grant(handle)
        described = grant.describe()
        words = str(described[0] if isinstance(described, list) else described).encode(errors="replace")[
            :LONGEST_PREFIX
        ]
        self._life.core.save(data, words[:size])
        return len(words)

    def _write(self, stream: int, data: int, size: int) -> int:
        """Write to standard output, 1, or standard error, 2."""
        if stream not in {1, 2}:
            return Code.MALFORMED
        core = self._life.core
        core.check(data, size)
        # No more than what shows that it is too much.
        written = core.load(data, min(size, self._life.room + 1))
        decoder = self._decoders.get(stream)
        if decoder is None:
            decoder = self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        self._life.write(stream, decoder.decode(written))
        return 0

    def _sleep(self, milliseconds: int) -> int:
        """Wait."""
        end = _end_of(milliseconds)
        self._life.core.sleep(_SECONDS if end is None else end - time.monotonic())
        return 0

    _words: ClassVar[dict[str, Callable[..., int]]] = {
        "argument": _argument,
        "result": _result,
        "receive": _receive,
        "read": _read,
        "send": _send,
        "say": _say,
        "call": _call,
        "invoke": _invoke,
        "spawn": _spawn,
        "own": _own,
        "drop": _drop,
        "monitor": _monitor,
        "unmonitor": _unmonitor,
        "link": _link,
        "unlink": _unlink,
        "trap": _trap,
        "kill": _kill,
        "describe": _describe,
        "write": _write,
        "sleep": _sleep,
    }


def _matches(message: Message, wanted: bytes) -> bool:
    return not wanted or (message.kind == BYTES and message.data.startswith(wanted))


def _end_of(timeout: int) -> float | None:
    """The moment at which so many milliseconds are over; None for one that never comes."""
    return None if timeout < 0 else time.monotonic() + min(timeout / 1000, _SECONDS)
