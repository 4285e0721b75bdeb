"""Ready instances: handed out once, never after a run, and none left behind."""

import random
import threading
import time

import pytest

from capsend.environment import Environment
from capsend.exceptions import MemoryLimitExceeded
from capsend.runtime import pool
from capsend.spawning import spawn


@pytest.fixture
def stock(template):
    """A separate pool, which has begun to fill."""
    stock = pool.Ready()
    for _ in range(pool._BEFORE_FILLING):
        stock.take(template)
    yield stock
    stock.close()


def wait_until_full(stock, template):
    """Wait for the filling thread to end."""
    deadline = time.monotonic() + 30
    with stock._changed:
        stock._changed.wait_for(lambda: not stock._filling, timeout=deadline - time.monotonic())
        return len(stock._waiting.get(template, ()))


def test_stock_is_bounded(stock, template):
    """No more wait than was said."""
    assert wait_until_full(stock, template) == pool.SIZE


def test_no_guest_is_handed_out_twice(stock, template):
    """And what is taken is replaced."""
    seen = []
    for _ in range(3):
        wait_until_full(stock, template)
        seen.append(stock.take(template))
    numbers = [guest._number for guest in seen]
    assert len(set(numbers)) == 3
    for guest in seen:
        guest.close()


def test_program_that_spawns_once_makes_nothing_in_vain(template):
    """Filling begins with the second process."""
    stock = pool.Ready()
    assert stock.take(template) is None
    assert not stock._filling


def test_closed_stock_hands_out_nothing_and_holds_nothing(stock, template):
    """At the end of the program."""
    wait_until_full(stock, template)
    stock.close()
    assert stock.take(template) is None
    assert not any(stock._waiting.values())


def test_process_sees_nothing_of_the_rehearsal(template):
    """Modules, output and random numbers are as in a guest that was made on the spot."""

    def look():
        import sys

        return sorted(sys.modules), sys.argv, random.random()

    looks = []
    for _ in range(6):
        looks.append(spawn(look).result())
        wait_until_full(pool._ready, template)
    modules, arguments, numbers = zip(*looks, strict=True)
    assert len(set(map(tuple, modules))) == 1
    assert len(set(numbers)) == 6
    assert arguments[0] == [""]


def test_limits_apply_to_ready_guests(template):
    """They are set when a guest is handed out."""
    wait_until_full(pool._ready, template)
    small = Environment(memory=128 << 20)
    for _ in range(3):
        with pytest.raises(MemoryLimitExceeded):
            small.spawn(lambda: len(bytearray(1 << 30))).result()
        wait_until_full(pool._ready, template)


def test_process_that_ends_leaves_a_spare_guest_for_the_next(template):
    """Not more of them than was said, however many end at once; and none while others wait, which are quicker."""
    stock = pool.Ready()
    stock._filling = True  # nothing fills it meanwhile
    for _ in range(pool._BEFORE_FILLING):
        stock.take(template)
    threads = [threading.Thread(target=stock.ended, args=(template,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = pool.SPARES if template.slots is not None else 0
    assert len(stock._spare[template]) == wanted
    taken = [stock.take(template) for _ in range(wanted)]
    assert len({guest._number for guest in taken}) == wanted
    assert stock.take(template) is None
    waiting = stock._waiting[template]
    waiting.extend(taken)
    stock.ended(template)
    assert not stock._spare[template]
    stock._filling = False
    stock.close()
    assert not waiting
    stock.ended(template)
    assert not stock._spare[template]


def test_limits_apply_to_spare_guests():
    """And nothing of the process before is there."""

    def leave() -> str | None:
        import os

        left = os.environ.get("LEFT")
        os.environ["LEFT"] = "something"
        return left

    small = Environment(memory=128 << 20)
    for _ in range(5):
        assert spawn(leave).result() is None
        with pytest.raises(MemoryLimitExceeded):
            small.spawn(lambda: len(bytearray(1 << 30))).result()
