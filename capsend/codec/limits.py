"""The limits of decoding a message, and the codec's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PLAIN_DEPTH: Final = 100
MAX_GENERAL_DEPTH: Final = 4


class Limits(NamedTuple):
    """Bounds on the cost of decoding one message.

    Attributes:
        max_chars: length of the message, its segments included; memory stays below about 55 bytes per character.
        max_nodes: containers and nodes.
        max_items: elements of all of them together.
        max_work: hashing, comparing and compiling that a message asks for, in steps of about 100 nanoseconds.
        max_collisions: keys of one dict or set that may have the same hash.
        max_key_depth: nesting of one key of a dict or element of a set.
        max_depth: nesting of values of the table of standard classes in each other, whatever lies between; a cycle counts once.
    """

    max_chars: int = 256 << 20
    max_nodes: int = 4_000_000
    max_items: int = 16_000_000
    max_work: int = 20_000_000
    max_collisions: int = 64
    max_key_depth: int = 200
    max_depth: int = 1_000


class Malformed(ValueError):
    """A text is no message of this codec, or asks for more than the limits allow."""


class NotEncodable(TypeError):
    """A value has no encoding.

    Attributes:
        value: the offending part.
        reason: the reason why it has none.
        steps: one text per level from the root to the part, such as `("[3]", ".lock")`.
    """

    value: object
    reason: str
    steps: tuple[str, ...]

    def __init__(self, value: object, reason: str, *, steps: tuple[str, ...] = ()) -> None:
        super().__init__(f"{''.join(steps) or 'the value'}: {reason}")
        self.value = value
        self.reason = reason
        self.steps = steps

    @property
    def path(self) -> str:
        """The path of the part in the whole value, such as `[3].lock`; empty for the value itself."""
        return "".join(self.steps)

    def __reduce__(self) -> tuple[Any, ...]:
        # The offending value cannot travel, so a copy of the error has to do without it.
        return _without_value, (self.reason, self.steps)


def _without_value(reason: str, steps: tuple[str, ...]) -> NotEncodable:
    return NotEncodable(None, reason, steps=steps)


class Stopped(Exception):
    """Nobody wants the value of this decoding any more."""


class Budget:
    """The rest of `Limits.max_work`; without limits it never ends.

    Args:
        limits: the limits; None for no limits.
        is_unwanted: returns whether the decoding should end at once; asked every few thousand steps.
    """

    __slots__ = ("_is_unwanted", "items", "left", "limits")

    def __init__(self, limits: Limits | None, is_unwanted: Callable[[], bool] | None = None) -> None:
        self.limits: Limits | None = limits
        self.left: int = 0 if limits is None else limits.max_work
        self.items: int = 0 if limits is None else limits.max_items
        self._is_unwanted = is_unwanted

    def look(self) -> None:
        """End the decoding if nobody wants its value any more."""
        if self._is_unwanted is not None and self._is_unwanted():
            raise Stopped

    def count(self, items: int) -> None:
        """Take elements of a list or tuple that were packed as bytes from the items that a message may have."""
        if self.limits is not None:
            self.items -= items
            if self.items < 0:
                raise Malformed(f"a message of more than {self.limits.max_items} items")

    def spend(self, work: int) -> None:
        """Take `work` steps of about 100 nanoseconds from the budget."""
        if self.limits is not None:
            self.left -= work
            if self.left < 0:
                raise Malformed(f"decoding needs more work than the limit of {self.limits.max_work} steps")
