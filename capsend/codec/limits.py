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
        max_chars: length of the message with its segments; memory stays below about 55 bytes per character.
        max_nodes: containers and nodes.
        max_items: elements of all containers together.
        max_work: hashing, comparing and compiling required by a message, in steps of about 100 nanoseconds.
        max_collisions: keys of one dict or set with the same hash.
        max_key_depth: nesting of one key of a dict or one element of a set.
        max_depth: nesting of values of standard classes in each other, with anything in between; a cycle counts once.
    """

    max_chars: int = 256 << 20
    max_nodes: int = 4_000_000
    max_items: int = 16_000_000
    max_work: int = 20_000_000
    max_collisions: int = 64
    max_key_depth: int = 200
    max_depth: int = 1_000


class Malformed(ValueError):
    """A text is not a message of this codec, or exceeds the limits."""


class NotEncodable(TypeError):
    """A value has no encoding.

    Attributes:
        value: the offending part.
        reason: the reason why the part has no encoding.
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
        # The offending value cannot be pickled, so a copy of the error lacks it.
        return _without_value, (self.reason, self.steps)


def _without_value(reason: str, steps: tuple[str, ...]) -> NotEncodable:
    return NotEncodable(None, reason, steps=steps)


class Stopped(Exception):
    """The value being decoded is no longer wanted."""


class Budget:
    """The remaining part of `Limits.max_work`; inexhaustible without limits.

    Args:
        limits: the limits; None for no limits.
        is_unwanted: returns whether to stop decoding at once; called every few thousand steps.
    """

    __slots__ = ("_is_unwanted", "items", "left", "limits")

    def __init__(self, limits: Limits | None, is_unwanted: Callable[[], bool] | None = None) -> None:
        self.limits: Limits | None = limits
        self.left: int = 0 if limits is None else limits.max_work
        self.items: int = 0 if limits is None else limits.max_items
        self._is_unwanted = is_unwanted

    def look(self) -> None:
        """Stop decoding if the value is no longer wanted."""
        if self._is_unwanted is not None and self._is_unwanted():
            raise Stopped

    def count(self, items: int) -> None:
        """Count the elements of a list or tuple packed as bytes towards the message's limit of items."""
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
