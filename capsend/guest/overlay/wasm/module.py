"""Modules in other languages in a guest: a process can spawn the functions of modules that it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from capsend_guest import handles, host_operations

from capsend import codec
from capsend.capabilities.handles import grant_of
from capsend.codec.headers import Pair
from capsend.codec.operations import Operation, RefusalWord
from capsend.exceptions import LimitExceeded, WasmError

if TYPE_CHECKING:
    from capsend.capabilities.handles import Grant
    from capsend.environment import Environment

_HOLDS_NO_MORE = "this process holds too many handles"


class WasmModule(handles.Handle):  # type: ignore[misc]  # a class of the image, which this module cannot import
    """A module in any language that the host has compiled; see the host's `capsend.WasmModule`."""

    __slots__ = ("_name", "functions")

    def __init__(self, number: int, description: Any) -> None:
        super().__init__(number)
        self._name, functions = description
        self.functions: tuple[Any, ...] = tuple(functions)

    @classmethod
    def from_file(cls, path: Any, *, isolated: bool = False) -> WasmModule:
        """Refuse: the host compiles modules."""
        raise WasmError(
            f"{path} cannot be loaded inside a process: the host compiles modules. Load it in the host, and capture it"
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, name: str = "", isolated: bool = False) -> WasmModule:
        """Refuse, as `from_file`."""
        return cls.from_file(name or "the module", isolated=isolated)

    @classmethod
    def from_wat(cls, text: str, *, name: str = "") -> WasmModule:
        """Refuse, as `from_file`."""
        return cls.from_file(name or "the module")

    def function(self, name: str) -> WasmFunction:
        """Return one of its functions.

        Raises:
            WasmError: the module has no such function, or the function cannot be spawned.
        """
        if name not in self.functions:
            there_are = ", ".join(self.functions) or "none that a process can begin with"
            raise WasmError(
                f"{self._name} exports no function {name}. It has: {there_are}. Export it, or spawn one of these"
            )
        answer = host_operations.request(Operation.ENTRY, Pair(str(self.number), name).write())
        if answer.startswith("!"):
            raise (
                LimitExceeded(_HOLDS_NO_MORE)
                if answer == RefusalWord.HANDLES
                else WasmError(f"{name} cannot be used: {answer[1:]}")
            )
        function: WasmFunction = handles.receive(codec.loads(answer))[0]
        return function

    def __repr__(self) -> str:
        return f"<WasmModule {self._name}>"


class WasmFunction(handles.Handle):  # type: ignore[misc]  # as above
    """A function of a module, which `spawn` takes like a Python function: its argument and result are bytes."""

    __slots__ = ("_label",)

    def __init__(self, number: int, description: Any) -> None:
        super().__init__(number)
        module, name = description
        self._label = f"{name} of {module}"

    def __call__(self, argument: bytes = b"", /, *capabilities: Any) -> bytes:
        """Run the function in a new process, and return its result."""
        from capsend.spawning import spawn

        found: bytes = spawn(self, argument, *capabilities).result()
        return found

    def __capsend_ship__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> WasmShipment:
        """Return the call as `spawn` makes it.

        Raises:
            TypeError: an argument is neither bytes nor a capability.
        """
        if kwargs:
            raise TypeError(f"{self._label} takes no keyword arguments: it is not a function of Python. Pass bytes")
        argument = args[0] if args else b""
        if type(argument) is not bytes:
            raise TypeError(
                f"the argument of {self._label} must be bytes, not {type(argument).__name__}: it is not a function of Python. Encode it"
            )
        grants = []
        for each in args[1:]:
            grant = grant_of(each)
            if grant is None:
                raise TypeError(
                    f"{self._label} cannot be passed something of type {type(each).__name__}: after its bytes come only "
                    "capabilities: addresses, Dirs, HostFunctions, WasmModules and their functions"
                )
            grants.append(grant)
        return WasmShipment(self, argument, tuple(grants), self._label)

    def __repr__(self) -> str:
        return f"<WasmFunction {self._label}>"


@attrs.frozen
class WasmShipment:
    """A call of a function of a module, ready to be described to the host."""

    function: WasmFunction
    argument: bytes
    grants: tuple[Grant, ...]
    name: str
    takes_mailbox: bool = True
    program: str = ""
    segments: tuple[bytes, ...] = ()

    @property
    def call(self) -> str:
        """The argument, as text."""
        text: str = codec.encode(self.argument)
        return text

    @property
    def head(self) -> dict[str, Any]:
        """The description of the call for the host."""
        return {"entry": self.function.number}

    def check(self, environment: Environment) -> None:
        """Do nothing: the host has the module and checks the call."""

    def start(self, environment: Environment) -> Any:
        """Have the host start the process."""
        from capsend.runtime.running import start

        shipment: Any = self
        return start(shipment, environment, None, operations=())

    def receive(self, text: str, process_id: int, *, handles: Any = None) -> bytes:
        """Return the result of the process."""
        found: bytes = codec.decode(text[1:])
        return found


handles.KINDS["module"] = WasmModule
handles.KINDS["entry"] = WasmFunction
