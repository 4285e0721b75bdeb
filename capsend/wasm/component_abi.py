"""The words of `docs/abi.md` for components: they take values, and return a value or the name of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from capsend.mailbox.byte_messages import BYTES, REASONS, Message
from capsend.wasm.operations import LINK, LONGEST_PREFIX, MONITOR, Code, Operations, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.wasm.operations import GuestLife

_KINDS: Final = ("bytes", "value", "down", "exit")
_REASONS: Final = tuple("failed" if reason == "lost" else reason for reason in REASONS)
"""The reasons in the components' interface, which is fixed and has no word for a lost machine."""
_FOR_EVER: Final = -1
_FLAGS: Final = {"link": LINK, "monitor": MONITOR}
_STREAMS: Final = {"output": 1, "error": 2}


class WorldWords:
    """The words of one process; used only on its thread.

    Args:
        life: the life of the process.
        start: the call of the process.
        largest: the most bytes that it can pass at a time.
    """

    __slots__ = ("_largest", "operations")

    def __init__(self, life: GuestLife, start: Message, *, largest: int) -> None:
        self.operations: Operations = Operations(life, start)
        self._largest = largest

    def close(self) -> None:
        """Drop the messages and watches that the process can no longer use."""
        self.operations.close()

    def answer(self, word: str, args: list[Any]) -> tuple[bool, Any]:
        """Do a word.

        Returns:
            (True if it was done, its answer or the name of an error).
        """
        try:
            if any(isinstance(each, bytes) and len(each) > self._largest for each in args):
                raise Refusal(Code.LARGE)  # noqa: TRY301 - a refusal like that of any word
            own = self._words.get(word)
            # Words whose values are only numbers are the same for all guests.
            return True, getattr(self.operations, word)(*args) if own is None else own(self, *args)
        except _Failure as failure:
            return False, (Code.RAISED.name.lower(), failure.words)
        except Refusal as refusal:
            name = refusal.code.name.lower()
            return False, (name, b"") if word == "invoke" else name

    def _told(self, message: Message) -> tuple[str, bytes, bytes, list[int], str]:
        """Return a message as the interface's record."""
        data, text = (message.data, b"") if message.kind == BYTES else (b"", message.data)
        handles = self.operations.hold(message.grants)
        return _KINDS[message.kind], data, text, handles, _REASONS[message.extra]

    def _receive(self, prefix: bytes, timeout: int | None) -> Any:
        """Return the next message that begins with *prefix*."""
        if len(prefix) > LONGEST_PREFIX:
            raise Refusal(Code.LARGE)
        return self._told(self.operations.receive(prefix, _milliseconds(timeout)))

    def _send(self, to: int, data: bytes, handles: list[int], timeout: int | None) -> None:
        """Send bytes and handles."""
        self.operations.send(to, data, handles=handles, timeout=_milliseconds(timeout))

    def _say(self, to: int, text: bytes, handles: list[int], timeout: int | None) -> None:
        """Send a Python value as codec text."""
        self.operations.say(to, text, handles=handles, timeout=_milliseconds(timeout))

    def _call(self, to: int, data: bytes, handles: list[int], timeout: int | None) -> Any:
        """Send bytes and handles, and wait for the answer."""
        return self._told(self.operations.call(to, data, handles=handles, timeout=_milliseconds(timeout)))

    def _invoke(self, function: int, data: bytes) -> Any:
        """Call a host function with bytes."""
        raised, message = self.operations.invoke(function, data)
        if raised:
            raise _Failure(message.data)
        return self._told(message)

    def _spawn(self, module: int | None, name: bytes, *rest: Any) -> int:
        """Start a process."""
        data, handles, ties = rest
        self.operations.check_start(len(name), len(data), handles=len(handles))
        flags = sum(_FLAGS[each] for each in ties)
        return self.operations.spawn(module, name, data=data, handles=handles, flags=flags)

    def _write(self, channel: str, data: bytes) -> None:
        """Write to standard output or standard error."""
        self.operations.write(_STREAMS[channel], data)

    _words: ClassVar[dict[str, Callable[..., Any]]] = {
        "receive": _receive,
        "send": _send,
        "say": _say,
        "call": _call,
        "invoke": _invoke,
        "spawn": _spawn,
        "write": _write,
    }


class _Failure(Exception):
    """A host function raised."""

    def __init__(self, words: bytes) -> None:
        super().__init__(words)
        self.words = words


def _milliseconds(timeout: int | None) -> int:
    return _FOR_EVER if timeout is None else timeout
