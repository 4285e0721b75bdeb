"""Decorators that wrap: the wrapper, its captures, and the decorated function are sent."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, Final, cast, overload

from capsend import spawn

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

LIMIT = 5


def plain(fn: F) -> F:
    def inner(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return cast(F, inner)


@overload
def optional(fn: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def optional(*, times: int) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def optional(fn: Callable[P, R] | None = None, *, times: int = 2) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    def wrap(f: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(f)
        def inner(*args: P.args, **kwargs: P.kwargs) -> R:
            for _ in range(times):
                f(*args, **kwargs)
            return f(*args, **kwargs)

        return inner

    if fn is None:
        return wrap
    return wrap(fn)


@dataclass(frozen=True)
class Retry:
    times: int
    on: tuple[type[Exception], ...] = (ValueError,)

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(fn)
        def inner(*args: P.args, **kwargs: P.kwargs) -> R:
            for _ in range(self.times):
                try:
                    return fn(*args, **kwargs)
                except self.on:
                    pass
            raise AssertionError

        return inner


class Upper(Generic[P]):
    def __init__(self, fn: Callable[P, str]) -> None:
        self.fn: Final = fn

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> str:
        return self.fn(*args, **kwargs).upper()


def retry_on(*errors: type[Exception], when: Callable[[Exception], bool] = lambda e: True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def deco(fn: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(fn)
        def inner(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return fn(*args, **kwargs)
            except errors as e:
                if when(e):
                    return fn(*args, **kwargs)
                raise

        return inner

    return deco


def is_odd(e: Exception) -> bool:
    return True


@plain
def a1(n: int) -> int:
    return n


@optional
def a2(n: int) -> int:
    return n


@optional(times=LIMIT)
def a3(n: int) -> int:
    return n


@Retry(3)
@plain
def a4(n: int) -> int:
    return n


@Upper
def a5(n: str) -> str:
    return n


@retry_on(ValueError, KeyError, when=is_odd)
def a6(n: int) -> int:
    return n


@retry_on(ValueError)
def a7(n: int) -> int:
    return n


@functools.lru_cache(maxsize=None)
@plain
def a8(n: int) -> int:
    return n


thrice = optional(times=3)


@thrice
def a9(n: int) -> int:
    return n


a10 = plain(a9)


def run() -> None:
    """Run decorated functions in processes, from the module and from the function itself."""
    made_inside = [spawn(a1, 1), spawn(a2, 1), spawn(a3, 1), spawn(a4, 1), spawn(a6, 1), spawn(a7, 1), spawn(a8, 1), spawn(a9, 1)]
    assert [process.result() for process in made_inside] == [1] * 8
    assert spawn(a5, "x").result() == "X"
    assert spawn(lambda: a1(1) + a4(1) + a10(1)).result() == 3

    @plain
    def local(n: int) -> int:
        return n + 1

    def mine(fn: Callable[[int], int]) -> Callable[[int], int]:
        def inner(n: int) -> int:
            return fn(n) + 1

        return inner

    @mine
    def other(n: int) -> int:
        return n + 1

    assert spawn(local, 1).result() == 2
    assert spawn(other, 1).result() == 3
    assert spawn(plain(a1), 1).result() == 1
    made = plain(a1)
    assert spawn(made, 1).result() == 1
    assert spawn(lambda: made(1)).result() == 1
    assert spawn(mine(lambda k: k), 1).result() == 2
