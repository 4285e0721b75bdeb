"""Home's calls on a node, which runs them and forwards their answers unread."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs

from capsend.capabilities.handles import Grant
from capsend.shipping import failure
from capsend.shipping.outcomes import ChildRaised, Outcome
from capsend.shipping.ship import Shipment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.capabilities.handles import Handles
    from capsend.mailbox.ports import Origin

_NAMED: Final = re.compile(r'h\\*":(\d{1,9})')
"""A handle in a text, at any depth of nested texts. A text that only looks like one names nothing that the process does not hold."""


@attrs.frozen
class HomeFunction(Grant):
    """The right to call a function of home."""

    kind: ClassVar[str] = "function"
    refusal: ClassVar[str] = (
        "the host functions that a process may call are settled when it starts. Capture the function, or pass it to spawn"
    )

    root: int
    number: int
    name: str
    is_async: bool

    @property
    def stays(self) -> str:
        """Return an empty text: the function runs at home, so the right is not bound to this node."""
        return ""

    def describe(self) -> object:
        """Return `[name, is_async]` of the function."""
        return [self.name, self.is_async]

    def handle(self) -> object:
        """Refuse: a node has no object for a function of home."""
        raise LookupError(self.refusal)

    def __str__(self) -> str:
        return f"the function {self.name} of home"


@attrs.frozen
class Answer:
    """The unread answer of a process.

    Attributes:
        kind: "v", "u" or "e", as for `Outcome`.
        text: its text.
        grants: {the process's number of a handle in the text: its grant}.
        segments: the bytes that travel next to the text.
    """

    kind: str
    text: str
    grants: Mapping[int, Grant]
    segments: Sequence[bytes] = ()


class Raised(ChildRaised):
    """A process answered with an exception, or with a value without an encoding, which home will read."""

    def __init__(self, answer: Answer, words: str) -> None:
        super().__init__(Outcome(answer.kind, answer.text), words)  # type: ignore[arg-type]  # "u" or "e"
        self.answer = answer


@attrs.frozen
class HostedShipment(Shipment):
    """A call packed by home. The node does not read its texts.

    Attributes:
        number: the number of the process that runs the call.
    """

    number: int = attrs.field(kw_only=True)

    def receive(
        self,
        text: str,
        process_id: int,  # noqa: ARG002 - the node's errors do not name the process
        *,
        handles: Handles | None = None,
        is_unwanted: Callable[[], bool] | None = None,  # noqa: ARG002 - forwarding a text takes no time
        segments: Sequence[bytes] = (),
    ) -> Answer:
        """Return the answer of the process, for home.

        Raises:
            Raised: the answer is an exception, or a value without an encoding.
        """
        assert handles is not None
        kind, rest = text[:1], text[1:]
        answer = Answer(kind, rest, named_in(rest, handles), tuple(segments))
        if kind == "v":
            return answer
        if kind == "u":
            raise Raised(answer, "SerializationError: its result cannot be sent")
        raise Raised(Answer("e", rest, answer.grants), failure.summary(rest))

    def files(self) -> frozenset[str]:
        """Return an empty set: only home has the list of sent files."""
        return frozenset()

    def resolve(self, _reference: Any) -> object:
        """Refuse: a node reads no answers.

        Raises:
            LookupError: always.
        """
        raise LookupError("only home knows the objects that were sent")

    def message_name(self, _thing: object) -> object:
        """Return None: a node writes no messages."""
        return None


def named_in(text: str, handles: Handles) -> dict[int, Grant]:
    """Return the grants of the handles that a text names: {number: grant}."""
    if not len(handles):
        return {}
    numbers = {int(number) for number in _NAMED.findall(text)}
    found = {number: handles.get(number) for number in numbers}
    return {number: grant for number, grant in found.items() if grant is not None}


class HostedNames:
    """A node's data about processes: the functions of home that they may call; see `capsend.cluster.names.Names`."""

    def origin(self, root: int, *, is_child: bool) -> Origin | None:  # noqa: ARG002 - as in the protocol
        """Return None: a node reads no messages."""
        return None

    def namer(self, root: int) -> Callable[[Any], object] | None:  # noqa: ARG002 - as in the protocol
        """Return None: a node writes no messages."""
        return None

    def function(self, root: int, number: int, name: str, *, is_async: bool) -> Grant | None:
        """Return the grant of a function of home."""
        return HomeFunction(root, number, name, is_async)

    def describe(self, grant: Grant) -> list[Any] | None:
        """Return a reference to a function of home."""
        return ["f", grant.root, grant.number, grant.name, grant.is_async] if isinstance(grant, HomeFunction) else None
