"""The conversion of messages of bytes and handles to and from Python values."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from capsend import Mailbox, codec
from capsend.mailbox.address import PortGrant
from capsend.mailbox.byte_messages import (
    BYTES,
    DOWN,
    EXIT,
    VALUE,
    Message,
    envelope_of,
    message_of,
    of_text,
    text_of,
    value_of,
)
from capsend.mailbox.ports import Envelope, Port

GRANTS = tuple(PortGrant(Port(f"port {number}")) for number in range(5))


@given(st.binary(max_size=300), st.lists(st.sampled_from(GRANTS), max_size=8))
def test_bytes_and_handles_survive_the_way_through_python(data: bytes, grants: list[PortGrant]):
    """A guest's message arrives unchanged, even if a Python process forwards it."""
    envelope = Envelope("", tuple(grants), data=data)
    assert message_of(envelope) == Message(BYTES, data, tuple(grants))
    assert of_text(text_of(envelope)[0], tuple(grants)) == Message(BYTES, data, tuple(grants))


@given(
    st.text(st.characters(max_codepoint=127), max_size=200)
    | st.text('[]{}",:gpst0123456789abcdefhx', max_size=60).map("g".__add__)
)
def test_any_text_is_some_message(text: str):
    """A peer that sends malformed text confuses only the guest that reads it."""
    message = of_text(text, GRANTS)
    assert message.kind in {BYTES, VALUE}
    if message.kind == VALUE:
        assert (message.data, message.grants) == (text.encode(), GRANTS)


PLAIN = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)


@given(
    st.recursive(
        PLAIN, lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner), max_leaves=20
    )
)
def test_other_values_arrive_as_text(value: Any):
    """The text represents them exactly."""
    message = of_text(codec.encode(value), ())
    assert message.kind == VALUE
    assert codec.decode(message.data.decode("ascii")) == value


def test_handles_may_stand_in_any_order_and_twice():
    """A Python process may send them so; a number without a handle makes it another value."""
    parts = iter([{"h": 1}, {"h": 0}, {"h": 1}])
    text = codec.encode((b"x", (_Handle(), _Handle(), _Handle())), externals=lambda _: next(parts))
    assert of_text(text, GRANTS).grants == (GRANTS[1], GRANTS[0], GRANTS[1])
    assert of_text(text, GRANTS[:1]).kind == VALUE


class _Handle:
    pass


def test_the_host_sends_bytes_and_addresses_as_they_are():
    """Lists, other values and subclasses go as text."""
    with Mailbox[Any]() as inbox:
        envelope = envelope_of((b"x", (inbox.address,)))
        assert envelope is not None
        assert value_of(envelope) == (b"x", (inbox.address,))
        plain = envelope_of(b"y")
        assert plain is not None
        assert value_of(plain) == b"y"
        for other in (
            "y",
            bytearray(b"y"),
            (b"x", []),
            (b"x", ()),
            (b"x", (1,)),
            (b"x", (inbox.address,), 1),
            type("B", (bytes,), {})(b""),
        ):
            assert envelope_of(other) is None


def test_notices_say_why_in_a_number():
    """And their words are bytes, whatever characters they have."""
    down = message_of(Envelope('["killed", "why \\u00e9"]', GRANTS[:1], kind="d"))
    assert down == Message(DOWN, "why é".encode(), GRANTS[:1], 2)
    assert message_of(Envelope('["closed", ""]', GRANTS[:1], kind="x")) == Message(EXIT, b"", GRANTS[:1], 0)
