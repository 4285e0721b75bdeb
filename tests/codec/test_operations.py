"""The table of host operations: each header reads back as it was written, and nothing but a header is read."""

from __future__ import annotations

import ast
import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsend.codec import headers
from capsend.codec.operations import CHILDREN, MAIL, Operation, RefusalWord, read_refusal

ROOT = Path(__file__).parents[2] / "capsend"

word = st.text(st.characters(codec="ascii", exclude_characters=" :\n"), min_size=1, max_size=20)
free = st.text(max_size=50)
number = st.integers(0, 1 << 62)
seconds = st.one_of(st.none(), st.floats(0, headers.LONGEST_TIMEOUT, allow_nan=False))
handles = st.lists(st.integers(0, 10_000)).map(lambda numbers: ",".join(map(str, numbers)))
segments = st.lists(st.tuples(number, number)).map(lambda pairs: ",".join(f"{at}+{size}" for at, size in pairs))
line = st.text(st.characters(exclude_characters="\n"), max_size=50)

HEADERS: list[Any] = [
    st.builds(headers.Send, number.map(str), seconds, number, handles, segments, free),
    st.builds(headers.SendAfter, number.map(str), seconds, handles, segments, free),
    st.builds(headers.Receive, st.booleans(), seconds, number, number, number, handles),
    st.builds(headers.Received, st.sampled_from("hmdx"), number, free, free),
    st.builds(headers.Record, st.integers(0, 50), word, free),
    st.builds(headers.Join, number.map(str), seconds),
    st.builds(headers.Joined, st.sampled_from("vuex"), number, free, free),
    st.builds(headers.Pair, number.map(str), word),
    st.builds(headers.Spawn, line, line, free),
    st.builds(headers.Call, number.map(str), segments, free),
]


@given(st.one_of(HEADERS))
def test_a_header_reads_back_as_it_was_written(header: Any) -> None:
    """`read` is the inverse of `write`, whatever the fields hold."""
    assert type(header).read(header.write()) == header


def test_every_header_is_tried() -> None:
    """A header that is added has to be tried as well."""
    classes = {thing for thing in vars(headers).values() if isinstance(thing, type) and hasattr(thing, "write")}
    text = Path(__file__).read_text(encoding="utf-8")
    assert not {cls.__name__ for cls in classes} - set(re.findall(r"headers\.(\w+)", text))


@pytest.mark.parametrize(
    "cls", [headers.Send, headers.SendAfter, headers.Receive, headers.Received, headers.Record, headers.Join]
)
@given(st.text(max_size=60))
def test_a_text_that_is_no_header_is_a_value_error(cls: Any, text: str) -> None:
    """A stranger's text is read, or refused with the one error that the host expects."""
    with contextlib.suppress(ValueError, OverflowError):
        cls.read(text)


def test_a_refusal_is_read_as_a_word_and_details() -> None:
    """An unknown word is returned with the whole text."""
    assert read_refusal("!right send") == (RefusalWord.RIGHT, "send")
    assert read_refusal("!forged") == (RefusalWord.FORGED, "")
    assert read_refusal("!soon") == (RefusalWord.UNKNOWN, "!soon")


def test_operations_are_dispatched_by_their_numbers() -> None:
    """Mail and children have ranges of their own, and no operation is without a place."""
    others = {Operation.END, Operation.LOOK, Operation.CALL, Operation.GIVE, Operation.CODE}
    small = {each for each in Operation if each < MAIL.start} - others
    assert {each for each in Operation if each in MAIL or each in CHILDREN} | others | small == set(Operation)
    # The streams of a process are made before the table is there, by the numbers of their descriptors.
    assert (Operation.STDOUT, Operation.STDERR) == (1, 2)


def test_no_number_and_no_word_stands_anywhere_else() -> None:
    """The table is the one place for both: no other file of capsend spells a refusal, or asks the host by a literal number."""
    for path in ROOT.rglob("*.py"):
        if path == ROOT / "codec" / "operations.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in set(RefusalWord), f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("host_operations.request"):
                assert not isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"
