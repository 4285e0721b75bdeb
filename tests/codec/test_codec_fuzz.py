"""Fuzz the host's decoder: whatever the text, a value or Malformed, in bounded time.

`CAPSEND_FUZZ_SECONDS=600 pytest tests/codec/test_codec_fuzz.py` fuzzes for ten minutes instead of a few seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time

import pytest
import values
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from capsend import codec
from capsend.codec.text import TAGS
from capsend.shipping.failure import rebuild

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::hypothesis.errors.HypothesisWarning")
SECONDS = float(os.environ.get("CAPSEND_FUZZ_SECONDS", "4"))
LIMITS = codec.Limits(max_work=200_000)
SLOW = 10.0
TAGS = [*"ltdmsfbBunTiokKxeELUqQD", *TAGS]
QUIET = settings(max_examples=300, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink])


def survives(text: str) -> None:
    """Decode a text, and fail if that raises anything but Malformed or takes long."""
    start = time.perf_counter()
    with contextlib.suppress(codec.Malformed):
        codec.decode(text, resolve=values.resolve, limits=LIMITS)
    assert time.perf_counter() - start < SLOW, text[:1000]


parts = st.one_of(
    st.integers(-2, 12).map(lambda k: [k]),
    st.none(),
    st.booleans(),
    st.integers(-5, 2000),
    st.floats(),
    st.sampled_from(["", "x", "PurePath", "IPv4Address", "Europe/Paris", "l", "0", "-1", "1E5", "RED", "b"]),
    st.dictionaries(st.sampled_from(["x", "y", "__class__", "note"]), st.integers(0, 9).map(lambda k: [k]), max_size=2),
)
references = st.sampled_from([["x", {"n": ["values", name]}] for name in values.CLASSES])
nodes = st.one_of(
    references, st.builds(lambda tag, rest: [tag, *rest], st.sampled_from(TAGS), st.lists(parts, max_size=9))
)


@QUIET
@given(st.lists(nodes, min_size=1, max_size=12), st.text("0123456789abcdef+/=", max_size=20))
def test_random_nodes_are_survived(graph: list[object], blobs: str) -> None:
    """Nodes of every tag with parts of every kind, right and wrong."""
    text = json.dumps(graph)
    survives(f"g{len(text):x}:{text}{blobs}")


@QUIET
@given(st.text(st.characters(max_codepoint=127), max_size=60), st.sampled_from("gptcsk"))
def test_random_text_is_survived(text: str, letter: str) -> None:
    """Text that only begins like a message."""
    survives(letter + text)


@QUIET
@given(
    st.recursive(
        parts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    )
)
def test_random_json_is_survived(data: object) -> None:
    """JSON of any shape in any form of a message, and as the description of an exception."""
    text = json.dumps(data)
    for letter in "ptc":
        survives(letter + text)
    survives(f"g{len(text):x}:{text}")
    assert isinstance(rebuild(text, resolve=values.resolve, process_id=1), Exception)


def test_mutated_messages_are_survived() -> None:
    """Messages of real values with characters changed, removed, doubled and swapped."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    samples = [codec.encode(v, externals=values.externals) for v in examples()]
    pieces = [
        "[",
        "]",
        "{",
        "}",
        ",",
        '"',
        "0",
        "-1",
        "9" * 30,
        "[0]",
        "[1]",
        "null",
        "true",
        "1e999",
        '"t"',
        '"m"',
        "\\",
    ]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        text = chance.choice(samples)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(text) + 1)
            width = chance.choice((0, 0, 1, 1, 2, 9))
            text = text[:at] + chance.choice([*pieces, chance.choice(text or "x")]) + text[at + width :]
        if text[:1] == "g" and chance.random() < 0.8:
            body = text.partition(":")[2]
            stop = body.rfind("]") + 1
            text = f"g{stop:x}:{body}"
        try:
            survives(text)
        except BaseException:
            print(f"seed {seed}: {text!r}")
            raise


def examples() -> list[object]:
    """Return one value of every kind with a special form."""
    found: list[object] = []

    @settings(max_examples=150, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(values.values)
    def collect(value: object) -> None:
        found.append(value)

    collect()
    return found


@pytest.mark.parametrize("size", [1 << 20])
def test_large_hostile_messages_cost_time_in_proportion(size: int) -> None:
    """A megabyte of the densest structures is decoded or refused in seconds."""
    for unit in ("[],", "{},", "0,", '"",', "[[],[]],", "1e5,", '{"a":0},', '"\\\\",', "null,"):
        survives("p[" + unit * (size // len(unit)) + "0]")
        survives("p" + unit.rstrip(",") * (size // len(unit)))
    for node in (
        '["l"]',
        '["s"]',
        '["f"]',
        '["t",0]',
        '["uuid",1,null]',
        '["deque",null]',
        '["pattern","a",32]',
        '["zone","UTC"]',
    ):
        body = "[" + ",".join([node] * (size // len(node))) + "]"
        survives(f"g{len(body):x}:{body}")
