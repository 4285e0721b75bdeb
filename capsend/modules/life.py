"""The life of a process whose guest is a module in any language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs

from capsend import byteforms, wire
from capsend.capabilities import FunctionGrant
from capsend.exceptions import LimitExceeded, MemoryLimitExceeded, OutputLimitExceeded, ProcessFailed, WasmError
from capsend.guest.codec import loads
from capsend.handles import MOST_HANDLES, Grant
from capsend.life import Life
from capsend.modules.operations import Code, Refusal
from capsend.modules.words import Words
from capsend.modules.world_words import WorldWords
from capsend.ports import PortGrant

if TYPE_CHECKING:
    from capsend.children import Child
    from capsend.engine import WorldInstance
    from capsend.environment import Environment
    from capsend.modules.compiled import Compiled

USUAL_MEMORY: Final = 64 << 20
"""Bytes of memory that a process which another one spawns can have, if neither it nor the other asks for more or less."""

_LONGEST_WORDS: Final = 2_000


@attrs.frozen
class ModuleGrant(Grant):
    """The right to start processes from a module."""

    kind: ClassVar[str] = "module"

    template: Compiled

    def describe(self) -> object:
        """Return its name, and the functions that a process can begin with."""
        return [self.template.name, list(self.template.entries)]

    def handle(self) -> object:
        """Return the module."""
        from capsend.wasm import WasmModule

        return WasmModule(self.template)

    def __str__(self) -> str:
        return f"the module {self.template.name}"


@attrs.frozen
class EntryGrant(Grant):
    """The right to start processes from one function of a module."""

    kind: ClassVar[str] = "entry"

    template: Compiled
    entry: str

    def describe(self) -> object:
        """Return the module's name and the function's."""
        return [self.template.name, self.entry]

    def handle(self) -> object:
        """Return the function."""
        from capsend.wasm import WasmModule

        return WasmModule(self.template).function(self.entry)

    def shipment(self, data: bytes, grants: tuple[Grant, ...]) -> WasmShipment:
        """Return a call of it, with this argument and these handles."""
        return WasmShipment(self.template, self.entry, data, grants, str(self))

    def __str__(self) -> str:
        return f"{self.entry} of {self.template.name}"


def entry_of(grant: ModuleGrant | EntryGrant, name: str) -> EntryGrant:
    """Return the function of that name; of the right to one function, that one, which needs no name.

    Raises:
        Refusal: there is no such function to begin with.
    """
    if isinstance(grant, EntryGrant):
        if name not in {"", grant.entry}:
            raise Refusal(Code.MISSING)
        return grant
    try:
        grant.template.check_entry(name)
    except WasmError:
        raise Refusal(Code.MISSING) from None
    return EntryGrant(grant.template, name)


@attrs.frozen
class WasmShipment:
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

    def check(self, environment: Environment) -> None:
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
    def size(self) -> int:
        """Bytes of the host's memory that it takes."""
        return len(self.argument)

    def usual_memory(self, parent: Environment) -> int:
        """Return the bytes of memory that it can have where the process that spawns it does not say."""
        return min(parent.memory, max(self.template.memory, USUAL_MEMORY))

    def start(self, environment: Environment) -> Life:
        """Start it in a process of its own."""
        from capsend.running import start

        return start(self, environment, self.template, kind=WasmLife)

    def message_name(self, _thing: object) -> object:
        """Return None: there are no classes of Python's in such a process."""
        return None

    def resolve(self, _reference: Any) -> object:
        """Refuse: it was sent nothing that it could name.

        Raises:
            LookupError: always.
        """
        raise LookupError("it names what was not sent to it")


class WasmLife(Life):
    """What the thread of such a process and its handle share."""

    __slots__ = ("_core", "_kin", "_template", "_words")

    def __init__(
        self, shipment: Any, environment: Environment, *, parent: Life | None = None, reserved: int = 0
    ) -> None:
        super().__init__(shipment, environment, parent=parent, reserved=reserved)
        self._core: Any = None
        self._template: Compiled | None = None
        self._kin: dict[Grant, Child] = {}
        start = byteforms.Message(byteforms.BYTES, shipment.argument, shipment.grants)
        largest = shipment.template.largest
        self._words: Words | WorldWords = (
            Words(self, start) if largest is None else WorldWords(self, start, largest=largest)
        )
        # What is a pickle to the host's own code is of no use to any other language.
        self.mail.port.reads_pickles = shipment.reads_pickles
        if shipment.template.largest is not None:
            self.mail.port.size = min(self.mail.port.size, shipment.template.largest)

    @property
    def stack(self) -> int:
        """Bytes of stack that its thread needs."""
        from capsend.engine import SMALL_STACK

        return SMALL_STACK

    @property
    def core(self) -> Any:
        """The instance, whose memory words read and write."""
        assert self._core is not None
        return self._core

    def _make_guest(self, template: Any) -> Any:
        self._template = template
        self._core = template.instance(
            memory=self.environment.memory,
            host=self._words.answer,
            mounts=self._mounts(),
            variables=self.environment.env,
        )
        return self._core

    def _run(self, guest: Any, shipment: Any) -> None:
        if shipment.template.is_component:
            self._run_component(guest, shipment)
            return
        code = guest.run(shipment.entry)
        if code:
            raise ProcessFailed(
                f"process {self.number} ended with exit code {code}", type_name="exit", guest_message=str(code)
            )
        self.value = self._words.operations.value

    def _run_component(self, guest: WorldInstance, shipment: WasmShipment) -> None:
        operations = self._words.operations
        done, told = guest.run(shipment.entry, shipment.argument, operations.hold(shipment.grants))
        if not done:
            words = told.decode(errors="replace")
            raise ProcessFailed(f"process {self.number} failed: {words}", type_name="error", guest_message=words)
        most = shipment.template.largest
        if most is not None and len(told) > most:
            raise OutputLimitExceeded(
                f"process {self.number} ended with a result of more than the {most} bytes that a component can give at a "
                "time. Send messages, or build a core module",
                limit=most,
            )
        operations.check_result(len(told))
        self.value = told

    # --- for its operations ---

    @property
    def room(self) -> int:
        """Bytes of output that it may still write."""
        return max(self.environment.output - self._written, 0)

    def write(self, stream: int, text: str) -> None:
        """Write to its standard output, 1, or its standard error, 2."""
        self._write(self._out if stream == 1 else self._err, text)

    def check_result(self, size: int) -> None:
        """Refuse a result that is too large.

        Raises:
            OutputLimitExceeded: it is.
        """
        self._check_size(size)

    def invoke(self, grant: Grant, data: bytes, number: int) -> tuple[bool, byteforms.Message]:
        """Call a function of the host; return whether it raised, and what it returned or why it raised."""
        if not isinstance(grant, FunctionGrant):
            raise Refusal(Code.DENIED)
        call = wire.encode_value(((data,), {}), externals=lambda _: None, pickled=False)
        answer = self._call(f"{number}:{call}")
        if answer.startswith("e"):
            told = loads(answer[1:])[0]  # the members of a group follow
            words = f"{told['classes'][0][1]}: {told['message']}"[:_LONGEST_WORDS]
            return True, byteforms.Message(byteforms.BYTES, words.encode(errors="replace"))
        if not answer:  # it was stopped meanwhile
            return True, byteforms.Message(byteforms.BYTES, b"")
        length, _, _ = answer[1:20].partition(":")
        start = 2 + len(length)
        end = start + int(length, 16)
        delivered = loads(answer[start:end])
        grants = tuple(self.handles.get(held) for held, *_ in delivered)
        for held, *_ in delivered:  # they are held when they are read
            self.handles.drop(held, 1)
        return False, byteforms.of_text(answer[end:], tuple(each for each in grants if each is not None))

    def spawn(
        self, module: int | None, entry: str, *, data: bytes, grants: tuple[Grant, ...], linked: bool = False
    ) -> int:
        """Start a process, and return a handle of its address.

        Raises:
            Refusal: it was not started.
        """
        from capsend import children

        shipment = self._shipment(module, entry, data, grants)
        if len(self.handles) >= MOST_HANDLES:
            raise Refusal(Code.MANY)
        try:
            environment = children.narrow(self.environment, {"memory": shipment.usual_memory(self.environment)})
            shipment.check(environment)
            child = children.spawn(self, shipment, environment, size=len(data), linked=linked)
        except Exception:  # noqa: BLE001 - an audit hook may raise anything; whatever it is, there is no process
            raise Refusal(Code.LIMIT) from None
        child.life.add_callback(child.let_go)  # nobody asks for its result
        grant = child.life.mail.grant()
        self._kin = {known: kin for known, kin in self._kin.items() if kin.life.reason is None}
        self._kin[grant] = child
        return self.handles.hold(grant)

    def _shipment(self, module: int | None, entry: str, data: bytes, grants: tuple[Grant, ...]) -> WasmShipment:
        if module is None:
            assert self._template is not None
            return entry_of(ModuleGrant(self._template), entry).shipment(data, grants)
        grant = self.handles.get(module)
        if grant is None:
            raise Refusal(Code.FORGED)
        if not isinstance(grant, ModuleGrant | EntryGrant):
            raise Refusal(Code.DENIED)
        return entry_of(grant, entry).shipment(data, grants)

    def kill_child(self, grant: Grant) -> None:
        """End a process that this one has started; one that has ended may be forgotten.

        Raises:
            Refusal: this one has not started it.
        """
        child = self._kin.get(grant)
        if child is not None:
            child.life.kill()
        elif not isinstance(grant, PortGrant) or grant.port.reason is None:
            raise Refusal(Code.DENIED)

    def _finish(self) -> None:
        super()._finish()
        self._kin.clear()
        self._words.close()
        self._core = None
