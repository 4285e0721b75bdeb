"""The life of a process whose guest is a module in any language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from capsend.capabilities.handles import MOST_HANDLES, Grant
from capsend.capabilities.host_functions import FunctionGrant
from capsend.codec import wire
from capsend.codec.text import loads
from capsend.exceptions import OutputLimitExceeded, ProcessFailed
from capsend.mailbox import byte_messages
from capsend.mailbox.address import PortGrant
from capsend.runtime.home import THIS_PROGRAM
from capsend.runtime.life import Life
from capsend.runtime.shipments import EntryRight, ModuleRight
from capsend.wasm.component_abi import WorldWords
from capsend.wasm.core_abi import Words
from capsend.wasm.operations import Code, Refusal

if TYPE_CHECKING:
    from capsend.engine import WorldInstance
    from capsend.runtime.children import Child
    from capsend.runtime.home import Home
    from capsend.runtime.life import Operations
    from capsend.runtime.shipments import Runnable
    from capsend.runtime.terms import Terms

_LONGEST_WORDS: Final = 2_000


class WasmLife(Life):
    """The state shared by the thread and the handle of such a process."""

    __slots__ = ("_core", "_kin", "_module", "_words")

    def __init__(
        self,
        shipment: Any,
        environment: Terms,
        *,
        operations: Operations,
        parent: Life | None = None,
        reserved: int = 0,
        number: int | None = None,
        home: Home = THIS_PROGRAM,
    ) -> None:
        super().__init__(
            shipment, environment, operations=operations, parent=parent, reserved=reserved, number=number, home=home
        )
        self._core: Any = None
        self._module: ModuleRight = shipment.module
        self._kin: dict[Grant, Child] = {}
        start = byte_messages.Message(byte_messages.BYTES, shipment.argument, shipment.grants)
        largest = shipment.template.largest
        self._words: Words | WorldWords = (
            Words(self, start) if largest is None else WorldWords(self, start, largest=largest)
        )
        # A pickle, which only Python code of the host can read, is useless to other languages.
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
        """The instance, whose memory the words read and write."""
        assert self._core is not None
        return self._core

    def _make_guest(self, template: Any) -> Any:
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
        self.value: Any = self._words.operations.value

    def _run_component(self, guest: WorldInstance, shipment: Any) -> None:
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

    # --- called by its operations ---

    @property
    def room(self) -> int:
        """The bytes of output that it may still write."""
        return max(self.environment.output - self._written, 0)

    def write(self, stream: int, text: str) -> None:
        """Write to its standard output, 1, or its standard error, 2."""
        self._write(self._out if stream == 1 else self._err, text)

    def check_result(self, size: int) -> None:
        """Refuse a result that is too large.

        Raises:
            OutputLimitExceeded: *size* exceeds the limit of the environment.
        """
        self._check_size(size)

    def invoke(self, grant: Grant, data: bytes, number: int) -> tuple[bool, byte_messages.Message]:
        """Call a host function.

        Returns:
            (True if it raised, its result or the text of its exception).
        """
        if grant.kind != FunctionGrant.kind:  # a function of this program, or of a node's home
            raise Refusal(Code.DENIED)
        call = wire.encode_value(((data,), {}), externals=lambda _: None, pickled=False)
        answer = self._call(f"{number}:{call}")
        if answer.startswith("e"):
            told = loads(answer[1:])[0]  # the members of a group follow
            words = f"{told['classes'][0][1]}: {told['message']}"[:_LONGEST_WORDS]
            return True, byte_messages.Message(byte_messages.BYTES, words.encode(errors="replace"))
        if not answer:  # the process was stopped meanwhile
            return True, byte_messages.Message(byte_messages.BYTES, b"")
        length, _, _ = answer[1:20].partition(":")
        start = 2 + len(length)
        end = start + int(length, 16)
        delivered = loads(answer[start:end])
        grants = tuple(self.handles.get(held) for held, *_ in delivered)
        for held, *_ in delivered:  # the handles are held once they are read
            self.handles.drop(held, 1)
        return False, byte_messages.of_text(answer[end:], tuple(each for each in grants if each is not None))

    def spawn(
        self, module: int | None, entry: str, *, data: bytes, grants: tuple[Grant, ...], linked: bool = False
    ) -> int:
        """Start a child, and return a handle of its address.

        Raises:
            Refusal: the child was not started.
        """
        from capsend.runtime import children

        shipment = self._shipment(module, entry, data, grants)
        if len(self.handles) >= MOST_HANDLES:
            raise Refusal(Code.MANY)
        try:
            environment = children.narrow(self.environment, {"memory": shipment.usual_memory(self.environment)})
            shipment.check(environment)
            child = children.spawn(self, shipment, environment, size=len(data), linked=linked)
        except Exception:  # noqa: BLE001 - an audit hook may raise anything; in every case there is no child
            raise Refusal(Code.LIMIT) from None
        child.life.add_callback(child.let_go)  # the result of the child is never taken
        grant = child.life.mail.grant()
        self._kin = {known: kin for known, kin in self._kin.items() if kin.life.reason is None}
        self._kin[grant] = child
        return self.handles.hold(grant)

    def _shipment(self, module: int | None, entry: str, data: bytes, grants: tuple[Grant, ...]) -> Runnable:
        right = self._module if module is None else self.handles.get(module)
        if right is None:
            raise Refusal(Code.FORGED)
        if not isinstance(right, ModuleRight | EntryRight):
            raise Refusal(Code.DENIED)
        found = right.function(entry)
        if found is None:
            raise Refusal(Code.MISSING)
        return found.shipment(data, grants)

    def kill_child(self, grant: Grant) -> None:
        """End a child of this process; an ended child may be forgotten already.

        Raises:
            Refusal: the process is not a child of this one.
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
