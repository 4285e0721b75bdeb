"""The expected end of an attack, written above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

MIB: Final = 1 << 20
ANYTHING: Final = object()
LIMITS: Final[dict[str, Any]] = {"memory": 128 * MIB, "timeout": 30.0, "output": 1 * MIB, "result": 4 * MIB}


@attrs.frozen
class Attack:
    """A program, and how a process that runs it has to end.

    Attributes:
        program: the function that is spawned.
        ends: the exit reasons that are right; mostly one.
        raises: what `result` raises, or None when there is a value.
        says: a regular expression that the message matches.
        returns: the value, or a predicate of it.
        limits: the environment.
    """

    program: Callable[[], object]
    ends: tuple[str, ...]
    raises: type[BaseException] | tuple[type[BaseException], ...] | None
    says: str
    returns: Any
    limits: dict[str, Any]


ATTACKS: Final[list[Attack]] = []


def attack(
    ends: str, raises: Any = None, *, says: str = "", returns: Any = ANYTHING, **limits: Any
) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Enter a program into the table; `ends` may list several exit reasons, `limits` differ from the usual small ones."""

    def enter(program: Callable[[], object]) -> Callable[[], object]:
        ATTACKS.append(Attack(program, tuple(ends.split(" or ")), raises, says, returns, LIMITS | limits))
        return program

    return enter
