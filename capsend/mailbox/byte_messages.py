"""Messages of bytes and handles, and their conversion to and from Python values.

A guest in any language sends and receives bytes and handles. To Python, bytes without handles are a `bytes`, bytes with handles are a tuple
of a `bytes` and a tuple of the objects behind the handles; any other value reaches such a guest as codec text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from capsend import codec
from capsend.capabilities.handles import grant_of
from capsend.mailbox.bounds import OVERHEAD
from capsend.mailbox.ports import Envelope

if TYPE_CHECKING:
    from capsend.capabilities.handles import Grant

BYTES: Final = 0
VALUE: Final = 1
DOWN: Final = 2
EXIT: Final = 3
"""The kinds of messages, as guests see them; `docs/abi.md`."""

REASONS: Final = ("normal", "failed", "killed", "limit", "trap", "lost")
"""The reasons of an end; a guest gets the position.

A closed mailbox counts as "normal"; a reason that is not in the list counts as "failed".
"""

# More than any tuple of a `bytes` and a hundred handles takes: a text that costs more to read is another value.
_FEW: Final = codec.Limits(max_nodes=400, max_items=800, max_work=100_000)


@attrs.frozen
class Message:
    """One message in the form that guests receive.

    Attributes:
        kind: one of the kinds above.
        data: bytes; codec text; the words of a notice.
        grants: the grants behind its handles.
        extra: for a notice, the position of its reason.
    """

    kind: int
    data: bytes
    grants: tuple[Grant, ...] = ()
    extra: int = 0

    @property
    def size(self) -> int:
        """The bytes that the message is charged."""
        return len(self.data) + OVERHEAD * (1 + len(self.grants))


@attrs.frozen
class _Index:
    """The place of a handle, by its number, while a text is read."""

    number: int


def envelope_of(value: object) -> Envelope | None:
    """Return the envelope of a `bytes`, or of a `bytes` and addresses, that the host sends; None for any other value."""
    if type(value) is bytes:
        return Envelope("", data=value)
    if type(value) is not tuple or len(value) != 2 or type(value[0]) is not bytes or type(value[1]) is not tuple:
        return None
    grants = tuple(grant_of(each) for each in value[1])
    if not grants or any(grant is None or grant.refusal for grant in grants):
        return None
    return Envelope("", tuple(grant for grant in grants if grant is not None), data=value[0])


def value_of(envelope: Envelope) -> object:
    """Return the Python value, for the host, of an envelope of bytes."""
    if not envelope.grants:
        return envelope.data
    return envelope.data, tuple(grant.handle() for grant in envelope.grants)


def text_of(envelope: Envelope) -> tuple[str, list[bytes]]:
    """Return an envelope of bytes as the text and the segments that a Python process reads."""
    segments: list[bytes] = []
    if not envelope.grants:
        return codec.encode(envelope.data, segments=segments), segments
    value = envelope.data, tuple(_Index(number) for number in range(len(envelope.grants)))
    return codec.encode(value, externals=_number_of, segments=segments), segments


def _number_of(thing: Any) -> object:
    return {"h": getattr(thing, "number", None)}


def message_of(envelope: Envelope) -> Message:
    """Return an envelope in the form that guests receive."""
    if envelope.data is not None:
        return Message(BYTES, envelope.data, envelope.grants)
    if envelope.kind != "m":
        reason, words = codec.loads(envelope.text)
        extra = REASONS.index("normal" if reason == "closed" else reason if reason in REASONS else "failed")
        return Message(DOWN if envelope.kind == "d" else EXIT, words.encode(errors="replace"), envelope.grants, extra)
    return of_text(envelope.text, envelope.grants)


def of_text(text: str, grants: tuple[Grant, ...]) -> Message:
    """Return codec text in the form that guests receive: as bytes where the text is of bytes, and as codec text otherwise."""
    value = _bytes_in(text)
    if type(value) is bytes:
        return Message(BYTES, value)
    if type(value) is tuple and len(value) == 2 and type(value[0]) is bytes and type(value[1]) is tuple:
        indices = value[1]
        if all(type(each) is _Index and each.number < len(grants) for each in indices):
            return Message(BYTES, value[0], tuple(grants[each.number] for each in indices))
    return Message(VALUE, text.encode("ascii"), grants)


def _bytes_in(text: str) -> Any:
    if not text.startswith("g"):
        return None  # every text that contains bytes is of the general form

    def resolve(reference: Any) -> object:
        number = reference.get("h") if type(reference) is dict else None
        if type(number) is not int or number < 0:
            raise LookupError("only handles are of interest to this reader")
        return _Index(number)

    try:
        return codec.decode(text, resolve=resolve, may_build=lambda _: False, limits=_FEW)
    except codec.Malformed:
        return None
