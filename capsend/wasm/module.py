"""WebAssembly modules in any language: `WasmModule`, whose functions can be spawned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

import attrs

from capsend.capabilities.handles import Grant, grant_of
from capsend.exceptions import LimitExceeded, MemoryLimitExceeded, WasmError
from capsend.process import spawner
from capsend.runtime.operations import OPERATIONS
from capsend.runtime.shipments import EntryRight, ModuleRight, Runnable
from capsend.wasm.life import WasmLife

if TYPE_CHECKING:
    import os

    from capsend.capabilities.folders import Dir
    from capsend.capabilities.host_functions import HostFunction
    from capsend.mailbox.address import Address
    from capsend.runtime.life import Life
    from capsend.runtime.terms import Terms
    from capsend.wasm.compiled import Compiled


USUAL_MEMORY: Final = 64 << 20
"""Bytes of memory of a child, unless its parent or module asks for another amount."""


@attrs.frozen
class ModuleGrant(ModuleRight):
    """The right to start processes from a module."""

    kind: ClassVar[str] = "module"

    template: Compiled

    def describe(self) -> object:
        """Return its name, and the functions with which a process can begin."""
        return [self.template.name, list(self.template.entries)]

    def handle(self) -> object:
        """Return the module."""
        return WasmModule(self.template)

    def function(self, name: str) -> EntryGrant | None:
        """Return the right to one function; None if no process can begin with a function of this name."""
        return EntryGrant(self.template, name) if name in self.template.entries else None

    def __str__(self) -> str:
        return f"the module {self.template.name}"


@attrs.frozen
class EntryGrant(EntryRight):
    """The right to start processes from one function of a module."""

    kind: ClassVar[str] = "entry"

    template: Compiled
    entry: str

    def describe(self) -> object:
        """Return the module's name and the function's."""
        return [self.template.name, self.entry]

    def handle(self) -> object:
        """Return the function."""
        return WasmModule(self.template).function(self.entry)

    def function(self, name: str) -> EntryGrant | None:
        """Return this right if *name* is its function's name or empty; None for any other name."""
        return self if name in {"", self.entry} else None

    def shipment(self, data: bytes, grants: tuple[Grant, ...]) -> WasmShipment:
        """Return a call of the function, with this argument and these handles."""
        return WasmShipment(self.template, self.entry, data, grants, str(self))

    def __str__(self) -> str:
        return f"{self.entry} of {self.template.name}"


@attrs.frozen
class WasmShipment(Runnable):
    """A call of a function of a module, ready to be run by a process.

    Attributes:
        template: the module.
        entry: the function's name.
        argument: the function's argument, as bytes.
        grants: the grants behind its handles.
        name: its name in messages.
    """

    reads_pickles: ClassVar[bool] = False

    template: Compiled
    entry: str
    argument: bytes
    grants: tuple[Grant, ...]
    name: str
    takes_mailbox: bool = True

    def check(self, environment: Terms) -> None:
        """Refuse an environment in which the call cannot even start.

        Raises:
            MemoryLimitExceeded: the module's initial memory exceeds the environment's.
            LimitExceeded: a component's argument is too large.
        """
        most = self.template.largest
        if most is not None and len(self.argument) > most:
            raise LimitExceeded(
                f"the argument of {self.name} has {len(self.argument)} bytes, and a component takes at most {most} bytes "
                "at a time. Send it in pieces, or build a core module",
                limit=most,
            )
        needs, limit = self.template.memory, environment.memory
        if needs > limit:
            raise MemoryLimitExceeded(
                f"{self.template.name} needs {needs} bytes of memory to start, and its environment has {limit}. "
                "Give it more: Environment(memory=...)",
                limit=limit,
            )

    @property
    def kind(self) -> type[Life]:
        """The kind of life that runs the call."""
        return WasmLife

    @property
    def module(self) -> ModuleGrant:
        """The right to start processes from the same module, which every process of the module has."""
        return ModuleGrant(self.template)

    @property
    def size(self) -> int:
        """Bytes of host memory that the call takes."""
        return len(self.argument)

    def usual_memory(self, parent: Terms) -> int:
        """Return the bytes of memory of the process if its parent sets no limit."""
        return min(parent.memory, max(self.template.memory, USUAL_MEMORY))

    def start(self, environment: Terms) -> Life:
        """Start the call in a new process."""
        from capsend.runtime.running import start

        return start(self, environment, self.template, kind=WasmLife, operations=OPERATIONS)

    def message_name(self, _thing: object) -> object:
        """Return None: such a process has no Python classes."""
        return None

    def resolve(self, _reference: Any) -> object:
        """Refuse: such a process was sent no objects, so it can name none.

        Raises:
            LookupError: always.
        """
        raise LookupError("it names a grant that was not sent to it")


@final
class WasmModule:
    """A WebAssembly module, written in any language: its functions can be spawned and passed on.

    A module is compiled once; the compiled form is kept in the user's cache, next to the images. A process of a module
    has, like every process, its own memory, the limits of its environment, a mailbox, links and monitors. It reaches
    the host only through the capabilities that it was passed. `docs/abi.md` lists the imports and exports of a module.

    Example:
        >>> import capsend
        >>> module = capsend.WasmModule.from_wat('''
        ... (module (import "capsend" "result" (func $result (param i32 i32) (result i32)))
        ...   (memory (export "memory") 1) (data (i32.const 0) "hello")
        ...   (func (export "capsend_abi_1"))
        ...   (func (export "hello") (drop (call $result (i32.const 0) (i32.const 5)))))''')
        >>> capsend.spawn(module.function("hello")).result()
        b'hello'

    Source:
        Lunatic's processes: one WebAssembly instance each, linked, monitored and sent messages as in Erlang.
    """

    __slots__ = ("template",)

    def __init__(self, template: Compiled) -> None:
        """Wrap a compiled module; the constructors below call this, users do not."""
        self.template: Compiled = template

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, isolated: bool = False) -> WasmModule:
        """Load a module from a file.

        Args:
            path: the file.
            isolated: as for `from_bytes`.

        Raises:
            OSError: the file cannot be read.
            WasmError: the module is not valid, needs something that processes do not have, or does not fit the interface.
        """
        file = Path(path)
        return cls.from_bytes(file.read_bytes(), name=file.name, isolated=isolated)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, *, name: str = "", isolated: bool = False) -> WasmModule:
        """Load a module.

        Args:
            data: the binary format.
            name: its name in messages; a name from its digest when empty.
            isolated: True to compile the module in a separate OS process with limits. Use it for untrusted modules,
                which could keep all cores busy for minutes and take gigabytes. It costs about half a second, once; the
                compiled form is cached like any other.

        Raises:
            WasmError: the module is not valid, needs something that processes do not have, does not fit the interface,
                or, with `isolated`, exceeds the compiler's limits.
        """
        from capsend.wasm.compiled import obtain

        plain = bytes(data) if isinstance(data, bytearray | memoryview) else data
        return cls(obtain(plain, name=name, isolated=isolated))

    @classmethod
    def from_wat(cls, text: str, *, name: str = "") -> WasmModule:
        """Load a module from the text format.

        Args:
            text: the text.
            name: its name in messages; a name from its digest when empty.

        Raises:
            WasmError: the module is not valid, needs something that processes do not have, or does not fit the interface.
        """
        from capsend.wasm.compiled import from_text

        return cls.from_bytes(from_text(text, name=name), name=name)

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions that can be spawned, sorted: `(name, ...)`."""
        return self.template.entries

    def function(self, name: str) -> WasmFunction:
        """Return the function called *name*.

        Raises:
            WasmError: the module has no such function, or the function cannot be spawned.
        """
        self.template.check_entry(name)
        return WasmFunction(self, name)

    @property
    def __capsend_handle__(self) -> Grant:
        """The grant of this module for processes."""
        return ModuleGrant(self.template)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WasmModule) and self.template is other.template

    def __hash__(self) -> int:
        return hash(self.template)

    def __copy__(self) -> WasmModule:
        return self

    def __deepcopy__(self, _memo: object) -> WasmModule:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(
            "a WasmModule cannot be pickled: it is machine code of this CPU. Load it again where it is needed"
        )

    def __repr__(self) -> str:
        return f"<WasmModule {self.template.name}>"


@final
@attrs.frozen(repr=False)
class WasmFunction:
    """A function of a `WasmModule`, which `spawn` takes like a Python function: its argument and result are bytes."""

    module: WasmModule
    name: str

    @property
    def __capsend_handle__(self) -> Grant:
        """The grant of this function for processes: the right to start this function only."""
        return EntryGrant(self.module.template, self.name)

    def __call__(
        self,
        argument: bytes = b"",
        /,
        *capabilities: Address[Any] | Dir | HostFunction[Any, Any] | WasmModule | WasmFunction,
    ) -> bytes:
        """Run the function in a new process, in the default environment, and return its result.

        Args:
            argument: the function's argument, as bytes.
            capabilities: objects that the function may use; it gets a handle of each, in this order.

        Raises:
            TypeError, CapsendError: as for `spawn` and `Process.result`.
        """
        result: bytes = spawner()(self, argument, *capabilities).result()
        return result

    def __capsend_ship__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> WasmShipment:
        """Return the call as `spawn` makes it.

        Raises:
            TypeError: an argument is neither bytes nor a capability.
        """
        label = f"{self.name} of {self.module.template.name}"
        if kwargs:
            raise TypeError(f"{label} takes no keyword arguments: it is not a function of Python. Pass bytes")
        argument = args[0] if args else b""
        if type(argument) is not bytes:
            cure = "Write bytes(...)" if isinstance(argument, bytearray | memoryview | bytes) else "Encode it"
            raise TypeError(
                f"the argument of {label} must be bytes, not {type(argument).__name__}: it is not a function of Python. {cure}"
            )
        return WasmShipment(self.module.template, self.name, argument, self._grants(label, args[1:]), label)

    def _grants(self, label: str, capabilities: tuple[Any, ...]) -> tuple[Grant, ...]:
        grants = []
        for each in capabilities:
            grant = grant_of(each)
            if grant is None:
                raise TypeError(
                    f"{label} cannot be passed {_with_article(type(each).__name__)}: after its bytes come only "
                    "capabilities: addresses, Dirs, HostFunctions, WasmModules and their functions"
                )
            grants.append(grant)
        return tuple(grants)

    def __repr__(self) -> str:
        return f"<WasmFunction {self.name} of {self.module.template.name}>"


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiouAEIOU" else f"a {noun}"


__all__ = ["WasmError", "WasmFunction", "WasmModule"]
