"""What is done once for a program: one process compiles its functions, before anything of the program runs, and later processes load them."""

from __future__ import annotations

import marshal
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from capsend import spawn
from capsend.codec.operations import Operation
from capsend.environment import default
from capsend.shipping.reuse import Reuse
from capsend.shipping.ship import ship

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1 << 18


def reuse_of(function: Callable[..., Any]) -> Reuse:
    """Return what is done once for the program of a function."""
    image = default().image
    reuse = ship(function, (), {}, knows=image.knows, image=image).reuse
    assert reuse is not None
    return reuse


def answer() -> int:
    """Return a number."""
    return 42


def other_code() -> str:
    """Return the code of another function of the same name, as a process writes it."""

    def answer() -> int:
        """Return a number."""
        return 43

    return marshal.dumps(answer.__code__.replace(co_qualname="answer")).hex()


def test_code_of_one_process_is_loaded_by_later_ones() -> None:
    """The proof is other code: a process that is given it runs it."""
    assert [spawn(answer).result() for _ in range(3)] == [42, 42, 42]
    reuse = reuse_of(answer)
    assert reuse.code
    assert not reuse.is_code_wanted
    own, reuse.code = reuse.code, spawn(other_code).result()
    try:
        assert spawn(answer).result() == 43
    finally:
        reuse.code = own
    assert spawn(answer).result() == 42


def size(data: bytes) -> int:
    """Return a size."""
    return len(data)


def test_code_is_kept_although_the_arguments_are_fetched_from_the_host() -> None:
    """The host believes only the first request of a process."""
    for _ in range(3):
        assert spawn(size, bytes(300_000)).result() == 300_000
    image = default().image
    reuse = ship(size, (b"",), {}, knows=image.knows, image=image).reuse
    assert reuse is not None
    assert reuse.code


def forging(forged: str) -> Callable[[], int]:
    """Return a function that sends code to the host, as the runtime does for the program."""

    def forger() -> int:
        sys.modules["wit_world"].host(42, forged)
        return 1

    return forger


def test_program_cannot_send_its_own_code() -> None:
    """Only what comes before anything of the program runs is kept, and only from a process that was asked."""
    assert Operation.CODE == 42
    forged = spawn(other_code).result()
    forger = forging(forged)
    for _ in range(4):
        assert spawn(forger).result() == 1
        code = reuse_of(forger).code
        assert code is None or forged not in code
    assert reuse_of(forger).code


@pytest.mark.parametrize("payload", ["zz", "ab cd", "0", "abé0", "ab\nab", "ab" * MOST], ids=range(6))
def test_what_is_no_code_is_not_kept_and_not_asked_for_again(payload) -> None:
    """It would break the text of the next process."""
    reuse = Reuse(MOST)
    reuse.want_code()
    assert reuse.is_code_wanted
    reuse.take_code(payload)
    reuse.want_code()
    assert (reuse.code, reuse.is_code_wanted) == ("", False)


class Shape:
    """A class with a method that is sent with it."""

    def __init__(self, sides: int) -> None:
        self.sides = sides

    def describe(self, *, name: str = "shape") -> str:
        """Say what it is."""
        return f"{name} with {self.sides} sides"


def helper(numbers: tuple[int, ...]) -> list[int]:
    """Double numbers."""
    return [2 * number for number in numbers]


def test_programs_of_many_functions_answer_alike_each_time() -> None:
    """Each function gets its own code: nested ones, lambdas, methods, generators, and those that an argument brings."""
    offset = 3

    def program(act: Callable[[int], int]) -> list[Any]:
        def nested(number: int) -> int:
            return number + offset

        generator = (nested(number) for number in helper((1, 2)))
        return [*generator, Shape(4).describe(), (lambda: Shape(3).describe(name="triangle"))(), act(5)]

    expected = program(lambda number: number * 7)
    assert [spawn(program, lambda number: number * 7).result() for _ in range(4)] == [expected] * 4
    assert spawn(program, lambda number: number * 8).result()[-1] == 40
    assert reuse_of(lambda: helper((1,))).code is None


def failing() -> int:
    """Fail in the middle of a line."""
    numbers = [1, 2]
    return numbers[0] + numbers[7]


def test_traceback_of_loaded_code_is_that_of_compiled_code() -> None:
    """File, lines and the marked part of the line."""
    texts = []
    for _ in range(4):
        with pytest.raises(IndexError) as raised:
            spawn(failing).result()
        cause = raised.value.__cause__
        assert cause is not None
        texts.append("".join(traceback.format_exception(cause)).partition("(in process")[0])
    assert len(set(texts)) == 1
    assert reuse_of(failing).code
