"""Host functions in a guest: objects that are called like functions and run in the host."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from capsend import codec
from capsend.codec.headers import Call
from capsend.codec.operations import Operation
from capsend.exceptions import SerializationError

from . import handles, host_operations, transit
from .handles import Handle

if TYPE_CHECKING:
    from .rebuild import Program

_SAY_NOTHING = (["builtins", "Exception"], ["builtins", "BaseException"])

_known: list[Program] = []


def begin(program: Program) -> None:
    """Start with a program and no other state."""
    _known[:] = [program]


class HostFunction(Handle):
    """A host function; see `capsend.HostFunction` on the host."""

    __slots__ = ("_is_async", "_name")

    def __init__(self, number: int, description: Any = ("", False)) -> None:
        super().__init__(number)
        self._name, self._is_async = description

    def __class_getitem__(cls, item: Any) -> Any:
        return types.GenericAlias(cls, item)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; the whole process waits until it returns."""
        return self._later(args, kwargs) if self._is_async else self._ask(args, kwargs)

    async def _later(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._ask(args, kwargs)

    def _ask(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        segments: list[bytes] = []
        try:
            text = codec.encode((args, kwargs), externals=_program().name_for_host, segments=segments)
        except codec.NotEncodable as error:
            message = f"cannot call {self._name}: args{error.path} cannot be sent: {error.reason}"
            raise SerializationError(message) from None
        handles.flush(handles.FEW)  # a process may make nothing but calls, whose results bring handles
        payload = Call(str(self.number), transit.name(segments), text).write()
        answer = host_operations.request(Operation.CALL, payload)
        kind, body = answer[:1], answer[1:]
        if kind == "e":
            raise _Raised(codec.loads(body)).error()
        size, _, rest = body.partition(":")
        told = codec.loads(rest[: int(size, 16)])
        held = handles.receive(told)
        text, brought = transit.received(rest[int(size, 16) :], has_segments=kind == "V")
        return codec.decode(text, resolve=lambda reference: _resolve(reference, held), segments=brought)

    def __repr__(self) -> str:
        return f"<HostFunction {self._name}>"


def _program() -> Program:
    return _known[0]


def _resolve(reference: dict[str, Any], held: list[Any]) -> Any:
    return held[reference["h"]] if "h" in reference else _program().by_name(*reference["c"])


class _Raised:
    """The exception of a host function, rebuilt as its own class or as its nearest base that the guest has."""

    def __init__(self, told: list[dict[str, Any]]) -> None:
        self._told = told

    def error(self, number: int = 0) -> BaseException:
        """Return one of the exceptions; a `RuntimeError` with its name and text if the guest has only `Exception` among its classes."""
        told = self._told[number]
        notes: list[str] = []
        error = self._nearest(told, notes)
        if error is None:
            name, message = told["classes"][0][1], told["message"]
            error = RuntimeError(f"{name}: {message}" if message else name)
        notes += told.get("notes", ())
        if notes:
            error.__notes__ = notes  # `add_note` reads `__notes__` first, and some classes raise an error then
        return error

    def _nearest(self, told: dict[str, Any], notes: list[str]) -> BaseException | None:
        own = told["classes"][0]
        for name in told["classes"]:
            if name in _SAY_NOTHING and name != own:
                return None
            try:
                error = self._made(name, told)
            except Exception:  # noqa: BLE001, S112 - the guest lacks the class, or a part of the exception was not sent
                continue
            if name != own:
                text = "" if str(error) == told["message"] else f": {told['message']}"
                notes.append(f"raised in the host as {'.'.join(own)}{text}")
            return error
        return None

    def _made(self, name: list[str], told: dict[str, Any]) -> BaseException:
        classes: Any = sys.modules["capsend.shipping.exception_classes"]
        cls = _program().by_name(*name)
        if not issubclass(cls, Exception):
            raise LookupError("it would end the process")
        payload = codec.decode(told["payload"], resolve=lambda reference: _resolve(reference, []))
        members = [self.error(member) for member in told.get("members", ())]
        made: BaseException = classes.restore(cls, payload, group=told.get("group"), members=members)
        return made


handles.KINDS["function"] = HostFunction
HostFunction.__module__ = "capsend.capabilities.host_functions"
