"""A census of this OS process, to be compared with a later one: threads, descriptors, processes, objects, and contents of modules."""

from __future__ import annotations

import collections
import contextlib
import gc
import linecache
import logging
import os
import re
import sys
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Final

import attrs
from wasmtime import _bindings as ffi

from capsend import processes
from capsend.codec.instances import Plan
from capsend.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTAINERS: Final = (
    dict,
    list,
    set,
    collections.deque,
    weakref.WeakSet,
    weakref.WeakKeyDictionary,
    weakref.WeakValueDictionary,
)
_BOUNDED: Final = (Deadline, Plan, ffi.wasmtime_component_func)
"""Classes of what is bounded elsewhere: cancelled deadlines, which hold nothing, the plans of 512 classes of the program, and the names of the
functions of guests, a few bytes each: the guests are counted themselves."""

_READY: Final = 4
"""Instances that the pool keeps ready, and workers that wait."""


@attrs.frozen
class Census:
    """One count.

    Attributes:
        counts: {what: number} of threads, descriptors and processes.
        objects: {class: number} of the objects of capsend's and wasmtime's classes.
        kept: {name: size} of what modules of capsend and some of the standard library keep.
    """

    counts: dict[str, int]
    objects: collections.Counter[str]
    kept: dict[str, int]

    def more_than(self, before: Census, *, spare: int = _READY) -> dict[str, tuple[int, int]]:
        """Return {name: (before, now)} of what has become more, by more than *spare* where instances are kept ready."""
        found = {}
        for now, then, most in (
            (self.counts, before.counts, 0),
            (self.objects, before.objects, spare),
            (self.kept, before.kept, spare),
        ):
            found |= {
                name: (then.get(name, 0), count) for name, count in now.items() if count > then.get(name, 0) + most
            }
        return found


def census() -> Census:
    """Return what there is now."""
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    objects = collections.Counter(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in kinds
        if kind not in _BOUNDED and str(kind.__module__).partition(".")[0] in {"capsend", "wasmtime"}
    )
    counts = collections.Counter(f"descriptor {kind}" for kind in _descriptors())
    counts["threads"] = len(os.listdir("/proc/self/task"))
    counts["processes"] = len(processes())
    return Census(counts, objects, _kept())


def _descriptors() -> Iterator[str]:
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the list itself
            yield os.readlink(f"/proc/self/fd/{number}").partition(":[")[0]


def _kept() -> dict[str, int]:
    found = {
        "sys.modules": len(sys.modules),
        "lines of what is no file": sum(
            not os.path.exists(name) for name in linecache.cache
        ),  # tracebacks show those of files
        "loggers": len(logging.root.manager.loggerDict),
        "warnings": len(vars(warnings)["onceregistry"]),
        "flags": len(re.RegexFlag._value2member_map_),
    }
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "capsend":
            found |= {
                f"{name}.{key}": size for key, value in vars(module).items() if (size := _size(value)) is not None
            }
    return found


def _size(value: Any) -> int | None:
    """Return the size of a container; of a function's cache, if nothing bounds it; None for anything else."""
    if isinstance(value, _CONTAINERS):
        return len(value)
    if hasattr(value, "cache_info") and not isinstance(value, type):
        info = value.cache_info()
        return info.currsize if info.maxsize is None else None
    return None


def settled(wanted: Census | None = None) -> Census:
    """Return the census as soon as nothing is more than *wanted*, or changes any more: threads end, and instances are made, a moment later."""
    until, last = time.monotonic() + 15, None
    while True:
        found = census()
        is_settled = found == last if wanted is None else not found.more_than(wanted)
        if is_settled or time.monotonic() > until:
            return found
        last = found
        time.sleep(0.6)
