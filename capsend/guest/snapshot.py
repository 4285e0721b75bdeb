"""The last steps before the snapshot: a rehearsal, and a heap arranged so that a new process touches few of its pages.

Every page to which a process writes is copied for it; this is most of the cost of its start.
"""

from __future__ import annotations

import gc
import json
import operator
import pathlib
import sys
import types
import zlib
from array import array
from typing import TYPE_CHECKING, Any

from capsend.codec.operations import Operation

from . import host_operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TIMES = 50
_ROOM = 8 << 20
_MOST = 500_000
_MORE = 1 << 16
_PARTS_OF_CODE = ("co_consts", "co_names", "co_filename", "co_name", "co_qualname", "co_linetable", "co_exceptiontable")
_SIZES = (*(1 << exponent for exponent in range(20, 12, -1)), *range(4096, 256, -64), *range(256, 0, -8))

_calls: list[tuple[str, str]] = []
_plugs: list[object] = []


def rehearse(run: Callable[[str, str], str]) -> None:
    """Make all sample calls until the interpreter has specialized the code that every call runs."""
    path = pathlib.Path(__file__).with_name("rehearsal.json")
    if not _calls:
        _calls.extend(json.loads(path.read_text("ascii")))
        # Each call is made in the two ways of a first and a later process: with functions to compile, and with compiled ones.
        _calls.extend([(_compiled(run, program, call), call) for program, call in _calls])
    for _ in range(_TIMES):
        _make_calls(run, _calls)


def gather_code(run: Callable[[str, str], str]) -> None:
    """Move the code that calls run to one place, that of the simplest call first; all calls must be rehearsed again.

    The interpreter counts in the code itself, at branches and where it has not specialized an instruction: a process writes to the pages
    of all code that it runs. (A function with moved code is called by the general instruction, which the specialized one for calls beats
    by less than the pages cost.)
    """
    plug_holes()
    functions = [thing for thing in gc.get_objects() if type(thing) is types.FunctionType]
    codes = list({id(code): code for function in functions for code in _code_in(function.__code__)}.values())
    known = set(map(id, codes))
    # The old code stays alive until all is moved: new code would be placed in the holes that it leaves.
    moved = {id(code): code.replace() for code in _code_run_by(run) if id(code) in known}
    # A function's code contains the code of the functions in it.
    for code in codes:
        parts = [moved.get(id(part), part) for part in code.co_consts]
        if not all(map(operator.is_, parts, code.co_consts)):
            moved[id(code)] = moved.get(id(code), code).replace(co_consts=tuple(parts))
    for function in functions:
        if id(function.__code__) in moved:
            function.__code__ = moved[id(function.__code__)]
    unplug_holes()


def _code_run_by(run: Callable[[str, str], str]) -> list[types.CodeType]:
    """Return the code that the sample calls run, in the order in which it first runs, the simplest call first."""
    found: dict[int, types.CodeType] = {}
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]  # since 3.12; the guest is newer
    tool, event = monitoring.PROFILER_ID, monitoring.events.PY_START
    monitoring.use_tool_id(tool, "capsend")
    monitoring.register_callback(tool, event, lambda code, _offset: found.setdefault(id(code), code))
    monitoring.set_events(tool, event)
    for call in reversed(_calls):
        _make_calls(run, [call])
    monitoring.set_events(tool, monitoring.events.NO_EVENTS)
    monitoring.free_tool_id(tool)
    return list(found.values())


def _code_in(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a code object after all code within it."""
    for part in code.co_consts:
        if type(part) is types.CodeType:
            yield from _code_in(part)
    yield code


def _compiled(run: Callable[[str, str], str], program: str, call: str) -> str:
    """Return a program with its compiled functions."""
    (code,) = _make_calls(run, [(f'{{"compile":1,{program[1:]}', call)])
    return f'{{"code":"{code}",{program[1:]}' if code else program


def rehearse_again(run: Callable[[str, str], str]) -> None:
    """Make the simplest call again in a ready instance, so that its pages are already copied."""
    _make_calls(run, _calls[-1:])


def _make_calls(run: Callable[[str, str], str], calls: list[tuple[str, str]]) -> list[str]:
    """Make calls, remove all traces of them in modules and output, and return the code that they sent to the host."""
    sent: list[str] = []

    def request(operation: int, payload: str) -> str:
        if operation == Operation.CODE:
            sent.append(payload)
        return ""

    modules, real = dict(sys.modules), host_operations.request
    host_operations.request = request
    try:
        for program, call in calls:
            run(program, call)
            for name in sys.modules.keys() - modules.keys():
                del sys.modules[name]
    finally:
        host_operations.request = real
        sys.modules.update(modules)
    return sent


def list_objects() -> None:
    """Leave a list of all objects and the addresses of their types in memory, for the host to find in the snapshot."""
    gc.collect()
    numbers = array("I")
    # One bit per eight bytes of memory: a dict of all objects would take more memory than many packages.
    seen = bytearray()
    waiting: list[object] = [sys.modules, *gc.get_objects()]
    # The objects made by this function do not exist in the snapshot.
    mine = {id(numbers), id(seen), id(waiting)}
    while waiting:
        thing = waiting.pop()
        address = id(thing)
        place, bit = address >> 6, 1 << (address >> 3 & 7)
        if place >= len(seen):
            seen.extend(bytes(place - len(seen) + _MORE))
        if seen[place] & bit or address in mine:
            continue
        seen[place] |= bit
        if not sys._is_immortal(thing):  # type: ignore[attr-defined] # noqa: SLF001 - new in 3.14
            numbers.extend((address, id(type(thing))))
        if type(thing) is types.CodeType:
            waiting.extend(getattr(thing, name) for name in _PARTS_OF_CODE)  # the collector does not traverse code
        else:
            waiting.extend(gc.get_referents(thing))
    content = numbers.tobytes()
    # The parts used by the list are freed first, so that the list is not placed after the hole that they leave.
    del seen, mine, waiting, thing, numbers
    header = len(content).to_bytes(4, "little") + zlib.crc32(content).to_bytes(4, "little")
    _plugs.append(b"capsend objects:" + header + content)


def plug_holes() -> None:
    """Fill the free places that the build left all over the heap, so that new objects are placed next to each other at its end.

    An object's `id` is its address. Objects at `edge` or above are in the room at the end, which is kept free.
    """
    gc.collect()
    first = used = len(_plugs)
    _plugs.extend([None] * _MOST)
    edge = id(bytes(_ROOM))
    for size in _SIZES:
        while used < first + _MOST and id(plug := bytes(size)) < edge:
            _plugs[used] = plug
            used += 1
    while used < first + _MOST and id(smallest := 0.5 + used) < edge:
        _plugs[used] = smallest
        used += 1


def finish() -> None:
    """Arrange the heap for the processes, as the last step before the snapshot."""
    gc.collect()
    gc.freeze()
    plug_holes()


def unplug_holes() -> None:
    """Free the filled places: a process that has used up its memory needs some for the report."""
    _plugs.clear()
