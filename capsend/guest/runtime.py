"""The run of one program: its entities are rebuilt, the call is made, and the answer is a value or the description of an exception."""

from __future__ import annotations

import asyncio
import inspect
import logging
import opcode
import os
from typing import Any, Final

from capsend import codec
from capsend.codec.operations import Operation
from capsend.shipping import description as failure

from . import children, handles, host_functions, host_operations, inbox, local_time, mailbox, snapshot, transit, unsent
from .rebuild import Program

_LOST_TEXT: Final = "unsupported operand type(s) for +=: '' and "
"""CPython's message if `text += more` finds no memory and loses the text (cpython#146092): no class has an empty name."""


def run(program: str, call: str) -> str:
    """Run a program and return its answer; never raise.

    Args:
        program: JSON of `{"entry": reference, "steps": [step], "parent": 1, "handles": [[number, kind, description]],
            "mailbox": 1, "logging": level, "variables": {name: value}, "code": code objects, "compile": 1}`; all but the first two are
            optional. With "code" the functions need not be compiled; with "compile" the host is sent their code. See
            `capsend.shipping.reuse`.
        call: the length of more steps in hexadecimal, a colon, the steps as JSON, then `(args, kwargs)` as codec text, if there are any.

    Returns:
        "v" and the result as codec text, "u" and the reason why the result has no encoding, or "e" and the exception.
    """
    rebuilt = Program()
    inbox.begin(rebuilt)
    host_functions.begin(rebuilt)
    try:
        parts = codec.loads(program)
        if "code" in parts:
            rebuilt.take_code(parts["code"])
        elif "compile" in parts:  # before any other request: the host believes only the first one
            host_operations.request(Operation.CODE, rebuilt.compile(parts["steps"]))
        if "logging" in parts:
            logging.getLogger().setLevel(parts["logging"])
        if "variables" in parts:
            os.environ.update(parts["variables"])
            if "TZ" in parts["variables"]:
                local_time.follow()
        segments = transit.begin(parts)
        if "handles" in parts:
            rebuilt.handles = handles.receive(parts["handles"])
        rebuilt.has_parent = "parent" in parts
        rebuilt.execute(parts["steps"])
        # Parts of a call are not copied needlessly: arguments may be large.
        start = call.index(":") + 1
        end = start + int(call[: start - 1], 16)
        if end > start:
            rebuilt.execute(codec.loads(call[start:end]))
        return _answered(rebuilt, parts, call, end, segments)
    except BaseException as error:  # noqa: BLE001 - an error that left the exported function would be a trap
        return _failed(rebuilt, error)


def run_again(program: str, call: str) -> str:
    """Make another call in a process that has made one already; arguments and answer as for `run`.

    Args:
        program: JSON of `{"entry": reference, "at": [entities, handles], "handles": [[number, kind, description]]}`;
            "at" counts the entities and handles before this call, and "handles" is optional.
        call: as for `run`.
    """
    rebuilt = inbox.program()
    assert rebuilt is not None
    unsent.begin()
    try:
        parts = codec.loads(program)
        # An earlier call may have failed during its rebuilding: the host has counted the entities that it should have
        # made.
        entities, held = parts["at"]
        rebuilt.entities += [None] * (entities - len(rebuilt.entities))
        rebuilt.handles += [None] * (held - len(rebuilt.handles))
        segments = transit.begin(parts)
        if "handles" in parts:
            rebuilt.handles += handles.receive(parts["handles"])
        start = call.index(":") + 1
        end = start + int(call[: start - 1], 16)
        if end > start:
            rebuilt.execute(codec.loads(call[start:end]))
        return _answered(rebuilt, parts, call, end, segments)
    except BaseException as error:  # noqa: BLE001 - as for `run`
        return _failed(rebuilt, error)


def _answered(rebuilt: Program, parts: dict[str, Any], call: str, start: int, segments: list[bytes]) -> str:
    """Make the call whose arguments begin at *start* in a text; return the answer."""
    function = rebuilt.get(parts["entry"])
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    if start < len(call):
        args, kwargs = codec.decode(call, start=start, resolve=rebuilt.resolve, segments=segments)
        segments.clear()
    if "mailbox" in parts:
        args = (mailbox.own_mailbox(), *args)
    rebuilt.is_running = True
    rebuilt.watch.look()
    result = _call(function, args, kwargs)
    answer = _answer(result, rebuilt, segments)
    if (error := unsent.used() or rebuilt.watch.change()) is not None:
        raise error  # even if the program handled the error: the host would have failed
    transit.give(segments)
    return answer


def _failed(rebuilt: Program, error: BaseException) -> str:
    error = _as_memory_error(error)
    if isinstance(error, MemoryError):
        snapshot.unplug_holes()
    elif unsent.used() is None and (change := rebuilt.watch.change()) is not None:
        change.__context__, error = error, change
    held = _Held(rebuilt)
    return "e" + held.before(failure.describe(unsent.used() or error, externals=held.name))


def _call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = function(*args, **kwargs)
    if inspect.iscoroutine(result):
        return asyncio.run(_awaited(result))
    return result


async def _awaited(coroutine: Any) -> Any:
    return await coroutine


class _Held:
    """The names in an answer.

    Handles are named by their position: the host may forward the answer to another process without reading it.
    """

    def __init__(self, rebuilt: Program) -> None:
        self._name = rebuilt.name
        self._has_parent = rebuilt.has_parent
        self._handles: list[str] = []

    def name(self, thing: Any) -> Any:
        """Name a class, a function or a handle."""
        if self._has_parent and isinstance(thing, handles.Handle):
            if isinstance(thing, children.Child):
                return None
            self._handles.append(thing.told_as)
            return {"h": len(self._handles) - 1}
        return self._name(thing)

    def before(self, text: str) -> str:
        """Return a text preceded by the names of its handles."""
        if not self._has_parent:
            return text
        names = ",".join(self._handles)
        return f"{len(names):x}:{names}{text}"


def _answer(result: Any, rebuilt: Program, segments: list[bytes]) -> str:
    held = _Held(rebuilt)
    try:
        if rebuilt.has_parent:
            return "v" + held.before(codec.encode(result, externals=held.name, stand_in=rebuilt.stand_in))
        return codec.encode(result, externals=rebuilt.name, prefix="v", stand_in=rebuilt.stand_in, segments=segments)
    except codec.NotEncodable as error:
        segments.clear()
        path, value, reason = f"result{error.path}", error.value, error.reason
        kind = type(value).__qualname__
        if isinstance(value, type) and path.endswith(".__class__"):
            path, reason = path.removesuffix(".__class__"), f"its class {value.__qualname__} is not one that was sent"
            kind = value.__name__
        return "u" + _Held(rebuilt).before(codec.dumps([path, kind, reason]))


def _as_memory_error(error: BaseException) -> BaseException:
    """Return the `MemoryError` for an error: one that the interpreter raised has no arguments, so that it differs from the user's."""
    if type(error) is TypeError and str(error).startswith(_LOST_TEXT):
        return MemoryError().with_traceback(error.__traceback__)
    if type(error) is MemoryError and error.args and not _was_said(error):
        error.args = ()
    return error


def _was_said(error: BaseException) -> bool:
    """Return whether an error was raised by a `raise` statement."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    code = b"" if place is None else place.tb_frame.f_code.co_code
    return (
        place is not None and 0 <= place.tb_lasti < len(code) and code[place.tb_lasti] == opcode.opmap["RAISE_VARARGS"]
    )
