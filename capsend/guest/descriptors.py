"""Descriptors and caches around functions of the program, rebuilt from their parts."""

from __future__ import annotations

import contextlib
import enum
import functools
import types
from collections.abc import Callable
from typing import Any, Final

from capsend.traits.markers import Impl

# The objects held by descriptors may be of any class.
_Maker = Callable[..., Any]


def _property(cls: Any, state: Any, *parts: Any) -> Any:
    made = cls.__new__(cls)
    property.__init__(made, *parts)
    if state:
        made.__dict__.update(state)
    return made


def _cached_property(function: Any, name: str) -> Any:
    made = functools.cached_property(function)
    made.attrname = name
    return made


def _single_dispatch_method(dispatcher: Any, function: Any) -> Any:
    made = functools.singledispatchmethod(function)
    made.dispatcher = dispatcher
    return made


def _enum_property(name: str, *accessors: Any) -> Any:
    made = enum.property(*accessors)
    made.name = name
    return made


def _with_state(made: Any, state: Any) -> Any:
    made.__dict__.update(state)
    return made


MAKERS: Final[dict[str, _Maker]] = {
    "static": staticmethod,
    "class": classmethod,
    "static_with": lambda function, state: _with_state(staticmethod(function), state),
    "class_with": lambda function, state: _with_state(classmethod(function), state),
    "property": _property,
    "enum_property": _enum_property,
    "dynamic": types.DynamicClassAttribute,
    "cached_property": _cached_property,
    "partial_method": lambda function, args, keywords: functools.partialmethod(function, *args, **dict(keywords)),
    "impl": lambda positive, reason, owner: Impl(positive=positive, reason=reason, owner=owner),
    "dispatch_method": _single_dispatch_method,
}


_UNKNOWN: Final = object()


def _miss(_argument: object) -> None:
    """Fail, so that a cache counts a call but stores no result."""
    raise LookupError


def filled_cache(target: Any, maxsize: int | None, typed: bool, held: list[list[Any]], counts: list[int]) -> Any:
    """Return an `lru_cache` around a function that already holds these (arguments, keywords, result), the oldest first.

    Args:
        target: the function.
        maxsize: as for `lru_cache`.
        typed: as for `lru_cache`.
        held: the calls that it holds.
        counts: `[hits, misses]` so far; empty if the program does not read them.
    """
    answers = iter(result for _, _, result in held)

    def run(*args: Any, **keywords: Any) -> Any:
        return run_now[0](*args, **keywords)

    run_now: list[Any] = [lambda *_args, **_keywords: next(answers)]
    cached = functools.lru_cache(maxsize, typed)(run)
    for args, keywords, _ in held:
        cached(*args, **keywords)
    if counts:
        run_now[0] = _miss
        for _ in range(counts[1] - len(held)):
            with contextlib.suppress(LookupError):
                cached(_UNKNOWN)
        for _ in range(counts[0] if held else 0):
            cached(*held[-1][0], **held[-1][1])
    run_now[0] = target
    functools.update_wrapper(cached, target)
    return cached
