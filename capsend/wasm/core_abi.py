"""The words of `docs/abi.md` for core modules: they take numbers, pointers and lengths, and return a number."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, ClassVar, Final

from capsend.wasm.operations import LINK, LONGEST_PREFIX, MONITOR, Code, Operations, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.engine import CoreInstance
    from capsend.mailbox.byte_messages import Message
    from capsend.wasm.operations import GuestLife

_INFO: Final = struct.Struct("<4I")
_PIECE: Final = 1 << 20
_OWN_MODULE: Final = 0xFFFF_FFFF
_STREAMS: Final = frozenset({1, 2})


class Words:
    """The words of one process; used only on its thread.

    Args:
        life: the life of the process.
        start: the call of the process.
    """

    __slots__ = ("_current", "_held", "_life", "operations")

    def __init__(self, life: GuestLife, start: Message) -> None:
        self.operations: Operations = Operations(life, start)
        self._life = life
        self._current: Message | None = None
        self._held: list[int] | None = None

    def close(self) -> None:
        """Drop the current message, and the messages and watches that the process can no longer use."""
        self._current = None
        self.operations.close()

    def answer(self, word: str, args: tuple[int, ...]) -> int:
        """Do a word; return a negative number for a refusal."""
        from capsend.engine import OutOfBounds

        try:
            own = self._words.get(word)
            # Words whose values are only numbers are the same for all guests.
            return (getattr(self.operations, word)(*args) if own is None else own(self, *args)) or 0
        except Refusal as refusal:
            return refusal.code
        except OutOfBounds:
            return Code.MALFORMED

    @property
    def _core(self) -> CoreInstance:
        core: CoreInstance = self._life.core
        return core

    def _argument(self, info: int) -> None:
        """Make the process's argument the current message."""
        self._show(self.operations.start, info)

    def _result(self, data: int, size: int) -> None:
        """Set the result of the process; the last call counts."""
        self.operations.check_result(size)
        self.operations.value = self._core.load(data, size)

    def _receive(self, info: int, prefix: int, prefix_size: int, timeout: int) -> None:
        """Make the next message that begins with the prefix the current one."""
        if prefix_size > LONGEST_PREFIX:
            raise Refusal(Code.LARGE)
        self._core.check(info, _INFO.size)  # before a message is taken out, so that none is lost
        self._show(self.operations.receive(self._core.load(prefix, prefix_size), timeout), info)

    def _show(self, message: Message, info: int) -> None:
        """Make a message the current one, and write its kind and lengths to *info*."""
        told = _INFO.pack(message.kind, len(message.data), len(message.grants), message.extra)
        self._core.save(info, told)
        self._current, self._held = message, None

    def _read(self, data: int, handles: int) -> None:
        """Copy the current message, or a part, to the guest's memory."""
        message, core = self._current, self._core
        if message is None:
            raise Refusal(Code.MISSING)
        if handles:
            core.check(handles, 4 * len(message.grants))
        if data:
            core.save(data, message.data)
        if handles:
            if self._held is None:
                self._held = self.operations.hold(message.grants)
            core.save(handles, struct.pack(f"<{len(self._held)}i", *self._held))

    def _send(self, *args: int) -> None:
        """Send bytes and handles."""
        to, data, size, handles, count, timeout = args
        self.operations.target(to, size)  # a message that is too large is not copied
        said = self._core.load(data, size)
        self.operations.send(to, said, handles=self._numbers(handles, count), timeout=timeout)

    def _say(self, *args: int) -> None:
        """Send a Python value as codec text."""
        to, text, size, handles, count, timeout = args
        self.operations.target(to, size)
        said = self._core.load(text, size)
        self.operations.say(to, said, handles=self._numbers(handles, count), timeout=timeout)

    def _numbers(self, handles: int, count: int) -> tuple[int, ...]:
        if not count:
            return ()
        self.operations.check_start(0, 0, handles=count)
        return struct.unpack(f"<{count}i", self._core.load(handles, 4 * count))

    def _call(self, *args: int) -> None:
        """Send bytes and handles; wait until the answer is the current message."""
        to, data, size, handles, count, info, timeout = args
        self._core.check(info, _INFO.size)
        self.operations.target(to, size)
        said = self._core.load(data, size)
        self._show(self.operations.call(to, said, handles=self._numbers(handles, count), timeout=timeout), info)

    def _spawn(self, *args: int) -> int:
        """Start a process."""
        module, name, name_size, data, size, handles, count, flags = args
        if flags > LINK | MONITOR:
            raise Refusal(Code.MALFORMED)
        self.operations.check_start(name_size, size, handles=count)
        core = self._core
        return self.operations.spawn(
            None if module == _OWN_MODULE else module,
            core.load(name, name_size),
            data=core.load(data, size),
            handles=self._numbers(handles, count),
            flags=flags,
        )

    def _invoke(self, function: int, data: int, size: int, info: int) -> int:
        """Call a host function with bytes; its result, or the text of its exception, becomes the current message."""
        self._core.check(info, _INFO.size)
        self.operations.check_call(size)
        raised, message = self.operations.invoke(function, self._core.load(data, size))
        self._show(message, info)
        return Code.RAISED if raised else 0

    def _describe(self, handle: int, data: int, size: int) -> int:
        """Write as much of the words about a handle as fits; return their whole length."""
        words = self.operations.describe(handle)
        self._core.save(data, words[:size])
        return len(words)

    def _write(self, stream: int, data: int, size: int) -> None:
        """Write to standard output, 1, or standard error, 2."""
        if stream not in _STREAMS:
            raise Refusal(Code.MALFORMED)
        core, operations = self._core, self.operations
        core.check(data, size)
        for start in range(0, size, _PIECE):
            # No more than needed to show that the limit is exceeded.
            operations.write(stream, core.load(data + start, min(size - start, _PIECE, operations.room + 1)))
            if core.interrupted:
                return

    _words: ClassVar[dict[str, Callable[..., int | None]]] = {
        "argument": _argument,
        "result": _result,
        "receive": _receive,
        "read": _read,
        "send": _send,
        "say": _say,
        "call": _call,
        "invoke": _invoke,
        "spawn": _spawn,
        "describe": _describe,
        "write": _write,
    }
