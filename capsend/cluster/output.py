"""The output of a process on a node, on its way to the targets of home: text that waits for a slow target is joined."""

from __future__ import annotations

import collections
import io
import threading
from typing import Final

from capsend.cluster.items import Malformed

_MOST_BLOCKS: Final = 100
_SLACK: Final = 1 << 20


class _Block:
    """Text of one stream that is passed to its target at once."""

    __slots__ = ("flush", "stream", "text")

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.text = io.StringIO()
        self.flush = False


class Output:
    """The output that waits; safe to use from any thread.

    A guest may write and flush single characters faster than a target takes them. Waiting output takes as much memory as its text.

    Ordering:
        Text of one stream is passed on in its order. The order between two streams holds unless the targets are a
        hundred changes behind.

    Args:
        most: characters that the process may write.
    """

    def __init__(self, most: int) -> None:
        self._left = most + _SLACK
        self._lock = threading.Lock()
        self._blocks: collections.deque[_Block] = collections.deque()

    def add(self, stream: int, text: str, *, flush: bool) -> bool:
        """Add text; return True if the caller must have `take` called once more.

        Raises:
            Malformed: its node lets the process write more than its environment allows.
        """
        self._left -= len(text)
        if self._left < 0:
            raise Malformed("a process writes more than it may")
        with self._lock:
            block = self._blocks[-1] if self._blocks else None
            if block is not None and block.stream != stream:
                same = (
                    [each for each in self._blocks if each.stream == stream]
                    if len(self._blocks) >= _MOST_BLOCKS
                    else []
                )
                block = same[-1] if same else None
            is_new = block is None
            if block is None:
                block = _Block(stream)
                self._blocks.append(block)
            block.text.write(text)
            block.flush = block.flush or flush
        return is_new

    def take(self) -> tuple[int, str, bool]:
        """Return the block that waits longest: the number of its stream, its text, and whether to flush."""
        with self._lock:
            block = self._blocks.popleft()
        return block.stream, block.text.getvalue(), block.flush
