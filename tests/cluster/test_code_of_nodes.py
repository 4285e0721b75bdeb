"""What a node does once for a program of its home: one process compiles the functions, later ones load the code."""

from __future__ import annotations

import types
from typing import Any

import pytest

from capsend import Environment
from capsend.cluster.hosting import Host
from capsend.cluster.items import Item
from capsend.cluster.lines import Token
from capsend.cluster.sending import send_call
from capsend.environment import default
from capsend.shipping.reuse import MOST_OF_NODE, Reuse, Reuses
from capsend.shipping.ship import Shipment, ship
from tests.eventually import eventually


def answer() -> int:
    """Return a number."""
    return 42


def shipped() -> Shipment:
    """Return a call of it, as `spawn` makes one."""
    image = default().image
    return ship(answer, (), {}, knows=image.knows, image=image)


@pytest.mark.usefixtures("template")
def test_node_has_the_program_compiled_once_that_home_repeats() -> None:
    """Home does not name a program that it runs for the first time: it may be the only time."""
    node = Host("1.0123456789ab", Token(b"t" * 32), heartbeat=1.0, lost_after=60.0)
    told: list[int] = []

    def put(word: str, fields: tuple[Any, ...], body: bytes) -> None:
        told.append(fields[3])
        node._acts[word](node, Item(word, list(fields), body))

    to_node: Any = types.SimpleNamespace(peer=types.SimpleNamespace(put=put), images=set())
    for number in range(3):
        life: Any = types.SimpleNamespace(number=900_001 + number, shipment=shipped(), environment=Environment())
        send_call(to_node, life, [])
        eventually(lambda: not node.lives)
    first, second, third = told
    assert not first
    assert second == third
    kept = node._reuses.of(second, 0)
    assert kept.code
    assert not kept.is_code_wanted


def test_node_forgets_the_programs_that_were_run_longest_ago() -> None:
    """Home may have as many programs as it likes."""
    kept = Reuses()
    used = kept.of(1, 100)
    for number in range(2, MOST_OF_NODE + 1):
        kept.of(number, 100)
    assert kept.of(1, 100) is used
    kept.of(MOST_OF_NODE + 1, 100)
    assert kept.of(1, 100) is used
    used.take_code("")
    assert not used.is_code_wanted
    assert kept.of(2, 100).is_code_wanted
    assert len(kept._by_number) == MOST_OF_NODE


def test_programs_have_numbers_of_their_own() -> None:
    """Two with one number would run each other's code."""
    assert len({Reuse(1).number for _ in range(100)}) == 100
    other, one = shipped().reuse, shipped().reuse
    assert other is one
