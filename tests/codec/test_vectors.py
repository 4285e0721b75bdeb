"""The vectors of the wire format, for implementations in other languages: capsend writes them, and a guest in C reads and writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from values import same

from capsend import Mailbox, WasmModule, codec, spawn
from capsend.codec import wire
from tests.guests.languages import HERE as GUESTS
from tests.guests.languages import ToolchainMissing, compile_c

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 20.0
HERE = Path(__file__).parents[1]
VECTORS = json.loads((HERE / "vectors" / "wire.json").read_text(encoding="utf-8"))
WRITTEN, READ, REFUSED = VECTORS["written"], VECTORS["read"], VECTORS["refused"]
NAMES = """
import re
from array import array
from collections import Counter, OrderedDict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address
from math import inf, nan
from pathlib import PurePosixPath
from uuid import UUID
"""


def value(vector: dict[str, str]) -> Any:
    """Return what a vector says in Python."""
    names: dict[str, Any] = {}
    exec(NAMES, names)
    python = vector["python"]
    if "x = " in python:
        exec(python, names)
        return names["x"]
    return eval(python, names)


def named(vectors: list[dict[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


@named(WRITTEN)
def test_a_value_is_written_exactly_so(vector):
    """The codec writes the text of the vector for its value."""
    assert codec.encode(value(vector)) == vector["text"]


@named(WRITTEN + READ)
def test_a_text_means_that_value(vector):
    """The codec reads the text, with the limits that it has for strangers."""
    assert same(codec.decode(vector["text"], limits=wire.LIMITS), value(vector))


@named(REFUSED)
def test_what_is_no_message_is_refused(vector):
    """The codec gives no value for it."""
    with pytest.raises(codec.Malformed):
        codec.decode(vector["text"], limits=wire.LIMITS)


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory) -> Iterator[Callable[[str], Any]]:
    """Pass a text through a process in C: it returns the same value if it could read the text."""
    try:
        made = compile_c(GUESTS / "c" / "wire.c", tmp_path_factory.mktemp("wire") / "wire.wasm")
    except ToolchainMissing as missing:
        pytest.skip(str(missing))
    with Mailbox[Any]() as inbox, spawn(WasmModule.from_file(made).function("rewriting"), b"", inbox.address) as p:

        def ask(text: str) -> Any:
            p.send(text.encode())
            return inbox.receive(timeout=PATIENCE)

        yield ask
        p.kill()


@named([vector for vector in WRITTEN + READ if vector.get("needs", "core") == "core"])
def test_a_guest_in_c_reads_and_writes_it(vector, rewritten):
    """The most important forms take another language 250 lines: the guest reads the value and writes it again."""
    assert same(rewritten(vector["text"]), value(vector))


@named(REFUSED)
def test_a_guest_in_c_refuses_what_is_no_message(vector, rewritten):
    """The vectors tell a reader's author what to refuse."""
    assert rewritten(vector["text"]) == b"unknown"
