"""Host functions inside a process: what looks like an ordinary function here runs in the host."""

from __future__ import annotations

import json
import sys
import types
from typing import TYPE_CHECKING, Any

from . import codec, handles, host
from .handles import Handle

if TYPE_CHECKING:
    from .program import Program

_known: list[Program] = []


def begin(program: Program) -> None:
    """Start with nothing but a program."""
    _known[:] = [program]


class HostFunction(Handle):
    """A function of the host; see `capsend.HostFunction` outside."""

    __slots__ = ("_is_async", "_name")

    def __init__(self, number: int, description: Any = ("", False)) -> None:
        super().__init__(number)
        self._name, self._is_async = description

    def __class_getitem__(cls, item: Any) -> Any:
        return types.GenericAlias(cls, item)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it: the whole process waits until it returns."""
        return self._later(args, kwargs) if self._is_async else self._ask(args, kwargs)

    async def _later(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._ask(args, kwargs)

    def _ask(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            text = codec.encode((args, kwargs), externals=_program().name_for_host)
        except codec.NotEncodable as error:
            errors: Any = sys.modules["capsend"]
            message = f"cannot call {self._name}: args{error.path} cannot be sent: {error.reason}"
            raise errors.SerializationError(message) from None
        handles.flush(handles.FEW)  # what functions return may be all that this process ever asks for
        answer = host.request(host.CALL, f"{self.number}:{text}")
        kind, body = answer[:1], answer[1:]
        if kind == "e":
            raise _exception(json.loads(body))
        size, _, rest = body.partition(":")
        told = json.loads(rest[: int(size, 16)])
        held = handles.receive(told)
        return codec.decode(rest[int(size, 16) :], resolve=lambda reference: _resolve(reference, held))

    def __repr__(self) -> str:
        return f"<HostFunction {self._name}>"


def _program() -> Program:
    return _known[0]


def _resolve(reference: dict[str, Any], held: list[Any]) -> Any:
    return held[reference["h"]] if "h" in reference else _program().by_name(*reference["c"])


def _exception(description: dict[str, Any]) -> BaseException:
    """Make the exception again that the host's function raised; one that says the same where its class is not known here."""
    message = description["message"]
    try:
        cls = _program().by_name(*description["class"])
        args = codec.decode(description["args"], resolve=lambda reference: _resolve(reference, []))
        made = cls(*args)
        if isinstance(made, Exception):
            return made
    except Exception:  # noqa: BLE001, S110 - the class is not known here, or its __init__ wants something else
        pass
    return RuntimeError(f"{description['class'][1]}: {message}" if message else description["class"][1])


handles.KINDS["function"] = HostFunction
HostFunction.__module__ = "capsend.capabilities"
