"""Slots: the memory of a guest that has ended is given to the next one as if it were new."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from capsend import engine
from capsend.engine import slots
from capsend.image.record import CONTENT
from capsend.runtime import pool, running
from tests.eventually import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from capsend.engine.slots import Slot, Slots

MEMORY = 256 << 20
GUARD = 1 << 20
PAGE = 4_096
SECRET = b"a secret of the process before"

pytestmark = pytest.mark.skipif(not engine.has_slots(), reason="the engine has its memories from wasmtime here")


@pytest.fixture
def own(tmp_path: Path) -> Any:
    """Slots of a small image: two pages of letters, then zeros."""
    path = tmp_path / CONTENT
    path.write_bytes(b"a" * PAGE + b"b" * PAGE + bytes(62 * PAGE))
    made = slots.Slots(path)
    yield made
    made.close_idle()


def taken(own: Slots) -> Slot:
    return own.take(reserved=1 << 24, guard=GUARD)


def bytes_of(slot: Slot, size: int) -> bytes:
    return slots.ctypes.string_at(slot.base, size)


def write(slot: Slot, address: int, data: bytes) -> None:
    slots.ctypes.memmove(slot.base + address, data, len(data))


def guest_of(template: engine.Template) -> engine.Guest:
    return engine.Guest(template, memory=MEMORY, host=lambda _operation, _payload: "")


@pytest.mark.parametrize("scans", [True, False])
def test_a_slot_that_comes_back_is_as_new(own: Slots, monkeypatch: pytest.MonkeyPatch, *, scans: bool) -> None:
    """This holds whether the system reports the written pages, or all pages are dropped."""
    if not scans:
        monkeypatch.setattr(slots, "_scanner", lambda _process: None)
    elif slots._scanner(os.getpid()) is None:
        pytest.skip("the system does not report written pages")
    first = taken(own)
    new = bytes_of(first, own.size)
    for page in range(0, own.size // PAGE, 3):
        write(first, page * PAGE + page, SECRET)
    own.give_back(first)
    again = taken(own)
    assert again is first
    assert bytes_of(again, own.size) == new
    assert again.is_warm is scans
    own.give_back(again)


def test_a_slot_with_more_pages_than_are_kept_is_as_new(own: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives them back to the system."""
    monkeypatch.setattr(slots, "MOST_KEPT", 20)
    slot = taken(own)
    new = bytes_of(slot, own.size)
    write(slot, 0, SECRET * (own.size // len(SECRET)))
    own.give_back(slot)
    assert bytes_of(slot, own.size) == new
    assert not slot.is_warm


def test_memory_that_a_guest_had_grown_by_is_gone(own: Slots) -> None:
    """The next guest cannot address it, and finds zeros when it grows itself."""
    slot = taken(own)
    assert slot.grow(own.size + PAGE)
    write(slot, own.size, SECRET)
    own.give_back(slot)
    slot = taken(own)
    assert slot.size == own.size
    with open("/proc/self/maps", encoding="utf-8") as maps:
        ends = [line.split(" ", 2) for line in maps if f"{slot.base + own.size:x}-" in line]
    assert [rights for _, rights, _ in ends] == ["---p"]
    slot.grow(own.size + PAGE)
    assert bytes_of(slot, own.size + PAGE)[own.size :] == bytes(PAGE)
    own.give_back(slot)


def test_a_slot_whose_mappings_were_changed_is_not_used_again(own: Slots) -> None:
    """Other content may be mapped into it, as that of a session's picture."""
    slot = taken(own)
    slot.is_used_up = True
    own.give_back(slot)
    again = taken(own)
    assert again is not slot
    own.give_back(again)


def test_few_slots_wait(own: Slots) -> None:
    """Each holds memory of the system."""
    held = [taken(own) for _ in range(slots.MOST_IDLE + 2)]
    for slot in held:
        own.give_back(slot)
    assert len(own._idle) == slots.MOST_IDLE


def test_nothing_of_a_process_is_in_the_memory_of_the_next(template: engine.Template) -> None:
    """Byte for byte it is the image, after a process that has run, and one that was stopped."""
    assert template.slots is not None
    # Processes of other tests make guests for the next ones, in the same slots.
    eventually(lambda: not running._live and not pool._ready._filling)
    for ends in ("normally", "by a stop"):
        guest = guest_of(template)
        slot = guest.held.main
        assert slot is not None
        guest.run("", "ready")
        assert guest.place is not None
        for page in range(100, 12_000, 37):
            guest.place.write(page * PAGE, SECRET)
        if ends == "by a stop":
            guest.interrupt()
        guest.close()
        after = guest_of(template)
        try:
            assert after.held.main is slot
            assert after.place is not None
            size = template.slots.size
            assert after.place.read(0, size) == os.pread(template.slots._file, size, 0)
            assert len(after.run("", "inventory")) > 10_000
        finally:
            after.close()


def test_an_access_outside_of_the_memory_ends_the_guest_and_nothing_else(tmp_path: Path) -> None:
    """In the guard, and after the guest's present memory: the engine distinguishes such a fault from one of the host."""
    text = """
    (component (core module $m
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "run") (param i32 i32 i32 i32) (result i32) (i32.load offset=16 (i32.load (local.get 0))))
      )
      (core instance $i (instantiate $m))
      (func (export "run") (param "program" string) (param "call" string) (result string)
        (canon lift (core func $i "run") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
    """
    path = tmp_path / "image.cwasm"
    path.write_bytes(engine.compile_component(engine.assemble(text)))
    template = engine.Template(path)
    for address in (b"\x00\x00\x02\x00", b"\x7f\x7f\x7f\x7f", b"\x00\x00\x01\x00"):
        guest = engine.Guest(template, memory=MEMORY)
        with pytest.raises(engine.Trapped, match="touched memory that it does not have"):
            guest.run(address.decode("ascii"), "")
        guest.close()


def test_processes_run_the_same_where_wasmtime_has_the_memories() -> None:
    """Its own mappings are the fall-back on other systems; an image is made for one of the two."""
    code = "from capsend.image import Image; import sys; sys.stdout.write(Image().key)"
    keys = [
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"CAPSEND_SLOTS": way}, capture_output=True, check=True
        ).stdout
        for way in "01"
    ]
    assert keys[0] != keys[1]
