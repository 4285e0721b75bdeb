"""An image's record of its memory: its place, and the pages that every process writes to."""

from __future__ import annotations

import mmap
import os
from typing import Any

import pytest

from capsend import engine
from capsend.engine import prefault
from capsend.engine.pictures import written
from capsend.runtime import pool

MEMORY = 256 << 20


def guest_of(template: engine.Template, host: Any = lambda _operation, _payload: "") -> engine.Guest:
    return engine.Guest(template, memory=MEMORY, host=host)


def pages_of(guest: engine.Guest) -> bytearray:
    """Return a byte for each page, 1 for those of the guest's own."""
    assert guest.place is not None
    return written(guest.place.base, guest.place.size)


def needs(template: engine.Template) -> None:
    if not template.written or prefault._call(os.getpid()) is None:
        pytest.skip("the system does not report written pages, or does not copy pages ahead")


def test_pages_are_copied_ahead_and_hold_what_they_held(template: engine.Template) -> None:
    """All pages that every process writes to, no other one, with the same content."""
    needs(template)
    if template.slots is not None:
        template.slots.close_idle()  # in a slot that was used the pages are in place
    plain, ahead = guest_of(template), guest_of(template)
    try:
        assert plain.place is not None
        assert ahead.place is not None
        ahead.prefault()
        assert sum(pages_of(plain)) == 0
        copied = pages_of(ahead)
        for address, length in template.written:
            first, count = address // mmap.PAGESIZE, length // mmap.PAGESIZE
            assert all(copied[first : first + count])
            assert ahead.place.read(address, length) == plain.place.read(address, length)
        assert sum(copied) * mmap.PAGESIZE == sum(length for _, length in template.written)
    finally:
        plain.close()
        ahead.close()


def test_a_guest_runs_the_same_without_pages_copied_ahead(template: engine.Template) -> None:
    """A system that cannot do it loses nothing but time."""
    answers = []
    for ahead in (True, False):
        guest = guest_of(template)
        if ahead:
            guest.prefault()
        answers.append(guest.run("", "inventory"))
        guest.close()
    assert answers[0] == answers[1]


def test_what_an_operation_puts_off_is_done_at_its_end(template: engine.Template) -> None:
    """This also holds if the operation fails: a receiver that is not woken would wait for ever."""
    for fails in (False, True):
        done: list[int] = []

        def host(_operation: int, _payload: str, *, fails: bool = fails, done: list[int] = done) -> str:
            before = len(done)
            guest.afterwards.append(lambda: done.append(1))
            assert len(done) == before
            if fails:
                raise KeyError
            return ""

        guest = guest_of(template, host)
        try:
            guest.run("", "signals")
        except KeyError:
            assert fails
        guest.close()
        assert done


def test_the_reserve_is_filled_while_a_processor_is_idle(template: engine.Template) -> None:
    """And waits for a quiet moment while guests keep all of them busy, or where a guest is made as quickly as one is made ready."""
    stock = pool.Ready()
    stock._waiting[template] = pool.collections.deque()
    stock._last = pool.time.monotonic()
    others = [guest for guest in engine.guests.values() if guest.is_running]
    for guest in others:
        guest.is_running = False
    busy = [guest_of(template) for _ in range(pool._PROCESSORS)]
    try:
        assert stock._pause() > 0
        for guest in busy:
            guest.is_running = False
        assert (stock._pause() == 0) is not engine.has_slots()
    finally:
        for guest in busy:
            guest.close()
        for guest in others:
            guest.is_running = True
        stock.close()
