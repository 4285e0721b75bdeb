"""The contents of an `lru_cache`, which only the references that the garbage collector follows reveal."""

from __future__ import annotations

import gc
from itertools import pairwise
from typing import Any, Final

_ELEMENT: Final = "_lru_list_elem"


def contents(cached: Any) -> list[tuple[tuple[Any, ...], dict[str, Any], object]]:
    """Return (arguments, keywords, result) of every call that an `lru_cache` remembers, the oldest first.

    Raises:
        LookupError: the interpreter does not show all entries of the cache.
    """
    info, parameters = cached.cache_info(), cached.cache_parameters()
    if not info.currsize:
        return []
    referents = gc.get_referents(cached)
    tables = [
        each for each in referents if type(each) is dict and len(each) == info.currsize and each is not vars(cached)
    ]
    if parameters["maxsize"] is None:
        found = list(tables[0].items()) if tables else []
    else:
        # Keys, results and classes of the elements are in the order of use.
        ends = [index for index, each in enumerate(referents) if isinstance(each, type) and each.__name__ == _ELEMENT]
        starts = [index for index, each in enumerate(referents[: ends[0]] if ends else ()) if index == ends[0] - 2]
        places = [*starts, *(end + 1 for end, following in pairwise(ends) if following == end + 3)]
        found = [(referents[place], referents[place + 1]) for place in places]
    if len(found) != info.currsize:
        raise LookupError(f"{len(found)} of {info.currsize} results are to be seen")
    mark = _mark(found)
    return [(*_arguments(key, mark, typed=parameters["typed"]), result) for key, result in found]


def _mark(found: list[tuple[Any, Any]]) -> object:
    """Return the object that separates arguments and keywords in keys."""
    return next(
        (
            part
            for key, _ in found
            if type(key) is tuple or hasattr(key, "hashvalue")
            for part in key
            if type(part) is object
        ),
        None,
    )


def _arguments(key: Any, mark: object, *, typed: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if type(key) in {int, str}:
        return (key,), {}
    parts = list(key)
    if mark is not None and any(part is mark for part in parts):
        at = next(index for index, part in enumerate(parts) if part is mark)
        args, rest = parts[:at], parts[at + 1 :]
        if typed:
            count = (len(rest) - len(args)) // 3
            rest = rest[: 2 * count]
        return tuple(args), dict(zip(rest[::2], rest[1::2], strict=True))
    return tuple(parts[: len(parts) // 2] if typed else parts), {}
