"""Shipments that a process packed for its children: the host forwards them unread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import attrs

from capsend.codec.segments import size_of
from capsend.shipping.outcomes import Outcome, read_outcome
from capsend.shipping.ship import Shipment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.capabilities.handles import Grant, Handles


@attrs.frozen
class ChildShipment(Shipment):
    """A call packed by a process.

    Its texts are opaque: with them a process can deceive only its own children.

    Attributes:
        root: the shipment that the host sent to the root of the process tree; it resolves the names of the host's
            classes.
    """

    root: Shipment = attrs.field(kw_only=True, repr=False)

    @classmethod
    def pack(
        cls,
        program: str,
        call: str,
        *,
        name: str,
        grants: tuple[Grant, ...],
        takes_mailbox: bool,
        sender: Shipment,
        segments: Sequence[bytes] = (),
    ) -> Self:
        """Return the shipment that `sender`'s process packed.

        Raises:
            ValueError: the texts are not those of a call.
        """
        if not program.startswith("{") or not program.isascii() or not call.isascii():
            raise ValueError("no program")
        return cls(
            f'{{"parent":1,{program[1:]}',
            call,
            name,
            [],
            frozenset(),
            grants,
            takes_mailbox=takes_mailbox,
            segments=tuple(segments),
            root=sender.root if isinstance(sender, ChildShipment) else sender,
        )

    @property
    def size(self) -> int:
        """Bytes of the texts, and of the segments."""
        return len(self.program) + len(self.call) + size_of(self.segments)

    def receive(
        self,
        text: str,
        process_id: int,
        *,
        handles: Handles | None = None,
        is_unwanted: Callable[[], bool] | None = None,  # noqa: ARG002 - the host decodes no such answer
        segments: Sequence[bytes] = (),  # noqa: ARG002 - the answer has none
    ) -> Outcome:
        """Return the outcome of the child, for its parent; see `read_outcome`."""
        assert handles is not None
        return read_outcome(text, number=process_id, handles=handles)

    def files(self) -> frozenset[str]:
        """Return the source files that the host sent to the root of the tree.

        File names given by a process are unchecked, so none of them count.
        """
        return self.root.files()

    def resolve(self, reference: Any) -> object:
        """Return the class or function of a name in a message, as for the root of the tree.

        Raises:
            LookupError: the name is of anything else.
        """
        if not isinstance(reference, dict) or not reference.keys() & {"c", "n"}:
            raise LookupError("it names nothing that the host sent")
        return self.root.resolve({key: reference[key] for key in ("c", "n") if key in reference})

    def message_name(self, thing: object) -> object:
        """Return the name by which a message calls a class or function, as for the root of the tree."""
        return self.root.message_name(thing)
