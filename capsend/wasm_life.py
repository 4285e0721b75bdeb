"""The life of a process whose guest is a module in any language."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs

from capsend import byteforms, wire
from capsend.capabilities import FunctionGrant
from capsend.exceptions import LimitExceeded, MemoryLimitExceeded, OutputLimitExceeded, ProcessFailed, WasmError
from capsend.folders import mounts_of
from capsend.handles import Grant
from capsend.life import Life
from capsend.operations import Code, Refusal
from capsend.ports import PortGrant
from capsend.words import Words
from capsend.world_words import WorldWords

if TYPE_CHECKING:
    from capsend.engine import WorldInstance
    from capsend.environment import Environment
    from capsend.modules import Compiled

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

    def __init__(self, shipment: Any, environment: Environment) -> None:
        super().__init__(shipment, environment)
        self._core: Any = None
        self._template: Compiled | None = None
        self._kin: dict[Grant, Life] = {}
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
            mounts=mounts_of(self.shipment.grants) if self.shipment is not None else (),
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
            told = json.loads(answer[1:])
            words = f"{told['class'][1]}: {told['message']}"[:_LONGEST_WORDS]
            return True, byteforms.Message(byteforms.BYTES, words.encode(errors="replace"))
        if not answer:  # it was stopped meanwhile
            return True, byteforms.Message(byteforms.BYTES, b"")
        length, _, _ = answer[1:20].partition(":")
        start = 2 + len(length)
        end = start + int(length, 16)
        delivered = json.loads(answer[start:end])
        grants = tuple(self.handles.get(held) for held, *_ in delivered)
        for held, *_ in delivered:  # they are held when they are read
            self.handles.drop(held, 1)
        return False, byteforms.of_text(answer[end:], tuple(each for each in grants if each is not None))

    def spawn(self, module: int | None, entry: str, *, data: bytes, grants: tuple[Grant, ...]) -> int:
        """Start a process, and return a handle of its address."""
        from capsend import running

        template = self._template_of(module)
        try:
            template.check_entry(entry)
        except WasmError:
            raise Refusal(Code.MISSING) from None
        shipment = WasmShipment(template, entry, data, grants, f"{entry} of {template.name}")
        child = running.start(shipment, self.environment, template, kind=WasmLife)
        grant = child.mail.grant()
        self._kin = {known: life for known, life in self._kin.items() if life.reason is None}
        self._kin[grant] = child
        return self.handles.hold(grant)

    def _template_of(self, module: int | None) -> Compiled:
        if module is None:
            assert self._template is not None
            return self._template
        grant = self.handles.get(module)
        if grant is None:
            raise Refusal(Code.FORGED)
        if not isinstance(grant, ModuleGrant):
            raise Refusal(Code.DENIED)
        return grant.template

    def kill_child(self, grant: Grant) -> None:
        """End a process that this one has started; one that has ended may be forgotten.

        Raises:
            Refusal: this one has not started it.
        """
        child = self._kin.get(grant)
        if child is not None:
            child.kill()
        elif not isinstance(grant, PortGrant) or grant.port.reason is None:
            raise Refusal(Code.DENIED)

    def _finish(self) -> None:
        super()._finish()
        for child in self._kin.values():
            child.kill()
        self._kin.clear()
        self._words.close()
        self._core = None
