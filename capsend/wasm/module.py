"""Modules of WebAssembly in any language: `WasmModule`, whose functions can be spawned, and where their compiled forms are kept."""

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
"""Bytes of memory that a process which another one spawns can have, if neither it nor the other asks for more or less."""


@attrs.frozen
class ModuleGrant(ModuleRight):
    """The right to start processes from a module."""

    kind: ClassVar[str] = "module"

    template: Compiled

    def describe(self) -> object:
        """Return its name, and the functions that a process can begin with."""
        return [self.template.name, list(self.template.entries)]

    def handle(self) -> object:
        """Return the module."""
        return WasmModule(self.template)

    def function(self, name: str) -> EntryGrant | None:
        """Return the right to one function; None when the module has none of that name to begin with."""
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
        """Return the right itself, by its function's name or by none; None for any other name."""
        return self if name in {"", self.entry} else None

    def shipment(self, data: bytes, grants: tuple[Grant, ...]) -> WasmShipment:
        """Return a call of it, with this argument and these handles."""
        return WasmShipment(self.template, self.entry, data, grants, str(self))

    def __str__(self) -> str:
        return f"{self.entry} of {self.template.name}"


@attrs.frozen
class WasmShipment(Runnable):
    """A call of a function of a module, ready to go into a process.

    Attributes:
        template: the module.
        entry: the function's name.
        argument: bytes for it.
        grants: what its handles stand for.
        name: what messages call it.
    """

    reads_pickles: ClassVar[bool] = False

    template: Compiled
    entry: str
    argument: bytes
    grants: tuple[Grant, ...]
    name: str
    takes_mailbox: bool = True

    def check(self, environment: Terms) -> None:
        """Refuse what cannot even start.

        Raises:
            MemoryLimitExceeded: the module has more memory at the start than its environment allows.
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
        """The kind of life that runs it."""
        return WasmLife

    @property
    def module(self) -> ModuleGrant:
        """The right to start others from the same module, which every process of a module has."""
        return ModuleGrant(self.template)

    @property
    def size(self) -> int:
        """Bytes of the host's memory that it takes."""
        return len(self.argument)

    def usual_memory(self, parent: Terms) -> int:
        """Return the bytes of memory that it can have where the process that spawns it does not say."""
        return min(parent.memory, max(self.template.memory, USUAL_MEMORY))

    def start(self, environment: Terms) -> Life:
        """Start it in a process of its own."""
        from capsend.runtime.running import start

        return start(self, environment, self.template, kind=WasmLife, operations=OPERATIONS)

    def message_name(self, _thing: object) -> object:
        """Return None: there are no classes of Python's in such a process."""
        return None

    def resolve(self, _reference: Any) -> object:
        """Refuse: it was sent nothing that it could name.

        Raises:
            LookupError: always.
        """
        raise LookupError("it names what was not sent to it")


@final
class WasmModule:
    """A WebAssembly module, in whatever language it was written: each of its functions can be spawned, and passed on.

    It is compiled once; the compiled form is kept beside the images, in the user's cache. A process made from it has what every process
    has: memory of its own, the limits of its environment, a mailbox, links and monitors; and nothing of this machine but what it was passed.
    `docs/abi.md` says what a module imports and exports.

    Example:
        >>> import capsend
        >>> module = capsend.WasmModule.from_wat('''
        ... (module (import "capsend" "result" (func $result (param i32 i32) (result i32)))
        ...   (memory (export "memory") 1) (data (i32.const 0) "hello")
        ...   (func (export "capsend_abi_1"))
        ...   (func (export "hello") (drop (call $result (i32.const 0) (i32.const 5)))))''')
        >>> capsend.spawn(module.function("hello")).result()
        b'hello'
    """

    __slots__ = ("template",)

    def __init__(self, template: Compiled) -> None:
        """Made by the functions below; not to be called."""
        self.template = template

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, isolated: bool = False) -> WasmModule:
        """Load a module from a file.

        Args:
            path: the file.
            isolated: as for `from_bytes`.

        Raises:
            OSError: it cannot be read.
            WasmError: it is not valid, needs what processes do not have, or does not fit the interface.
        """
        file = Path(path)
        return cls.from_bytes(file.read_bytes(), name=file.name, isolated=isolated)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, *, name: str = "", isolated: bool = False) -> WasmModule:
        """Load a module.

        Args:
            data: the binary format.
            name: what messages call it; after its digest when there is none.
            isolated: whether it is compiled in an OS process of its own, with limits: for what a stranger wrote, which could keep all cores busy
                for minutes and take gigabytes. It costs about half a second, once; the compiled form is kept in the cache as any other.

        Raises:
            WasmError: it is not valid, needs what processes do not have, does not fit the interface, or, `isolated`, takes too much to be compiled.
        """
        from capsend.wasm.compiled import obtain

        plain = bytes(data) if isinstance(data, bytearray | memoryview) else data
        return cls(obtain(plain, name=name, isolated=isolated))

    @classmethod
    def from_wat(cls, text: str, *, name: str = "") -> WasmModule:
        """Load a module that is written in the text format.

        Args:
            text: the text.
            name: what messages call it; after its digest when there is none.

        Raises:
            WasmError: it is not valid, needs what processes do not have, or does not fit the interface.
        """
        from capsend.wasm.compiled import from_text

        return cls.from_bytes(from_text(text, name=name), name=name)

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions that can be spawned, sorted."""
        return self.template.entries

    def function(self, name: str) -> WasmFunction:
        """Return one of its functions.

        Raises:
            WasmError: there is none of that name that can be spawned.
        """
        self.template.check_entry(name)
        return WasmFunction(self, name)

    @property
    def __capsend_handle__(self) -> Grant:
        """What it stands for in a process."""
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
    """A function of a `WasmModule`, which `spawn` takes like one of Python's: bytes go in, bytes come out."""

    module: WasmModule
    name: str

    @property
    def __capsend_handle__(self) -> Grant:
        """What it stands for in a process: the right to start this function and no other."""
        return EntryGrant(self.module.template, self.name)

    def __call__(
        self,
        argument: bytes = b"",
        /,
        *capabilities: Address[Any] | Dir | HostFunction[Any, Any] | WasmModule | WasmFunction,
    ) -> bytes:
        """Run it in a process of its own, in the default environment, and return its result.

        Args:
            argument: bytes for it.
            capabilities: what it may use; it gets a handle of each, in this order.

        Raises:
            TypeError, CapsendError: as `spawn` and `Process.result`.
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
                    f"{label} cannot be passed {_with_article(type(each).__name__)}: after its bytes come only what it may use, "
                    "which is addresses, Dirs, HostFunctions, WasmModules and their functions"
                )
            grants.append(grant)
        return tuple(grants)

    def __repr__(self) -> str:
        return f"<WasmFunction {self.name} of {self.module.template.name}>"


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiouAEIOU" else f"a {noun}"


__all__ = ["WasmError", "WasmFunction", "WasmModule"]
