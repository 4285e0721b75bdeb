"""A function of a module that is a method of an instance that the module hides is found under its public name."""

from calendar import monthcalendar
from random import getrandbits, random
from secrets import choice

from capsend import spawn


def draw() -> bool:
    return random() < 1 and getrandbits(2) < 4 and choice((5,)) == 5


def run() -> None:
    assert spawn(draw).result()
    assert spawn(lambda: monthcalendar(2024, 2)).result() == monthcalendar(2024, 2)
    assert spawn(random).result() < 1
    assert spawn(lambda make: make(3), getrandbits).result() < 8
