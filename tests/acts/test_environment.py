"""Environments: limits are on by default, checked when they are written, and values."""

import math

import attrs
import pytest

from capsend.environment import Environment
from capsend.image import Image

MIB = 1 << 20


def test_limits_are_on_by_default():
    """Whoever says nothing is protected."""
    environment = Environment()
    assert environment.memory <= 1024 * MIB
    assert environment.timeout is not None
    assert environment.output <= 64 * MIB


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory", -1), ("memory", 0), ("memory", 1000), ("memory", 1 << 50), ("timeout", 0), ("timeout", -1.0),
        ("timeout", math.inf), ("timeout", math.nan), ("timeout", 1e12),
        ("output", -1), ("output", 1 << 60), ("result", 0), ("cpu", 0), ("cpu", -2),
    ],
)  # fmt: skip
def test_absurd_limit_is_refused_by_name(name, value):
    """Negative, zero and absurd limits are errors where they are written."""
    with pytest.raises(ValueError, match=f"^{name} must be"):
        Environment(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory", "1 GB"), ("memory", 1e9), ("memory", True), ("memory", None), ("timeout", "1s"), ("timeout", True),
        ("output", 1.5), ("cpu", "1s"), ("stdout", "file.txt"), ("stderr", 3), ("image", "python"),
    ],
)  # fmt: skip
def test_limit_of_the_wrong_type_is_refused_by_name(name, value):
    """A wrong type is an error where it is written."""
    with pytest.raises(TypeError, match=name):
        Environment(**{name: value})


def test_environment_is_a_value():
    """It cannot be changed, and equal ones are equal."""
    assert Environment(timeout=1) == Environment(timeout=1, image=Image())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Environment().memory = 1


def test_limits_are_keyword_only():
    """A bare number says nothing."""
    with pytest.raises(TypeError):
        Environment(256 * MIB)


@pytest.mark.parametrize("memory", [64 * MIB, 4096 * MIB])
def test_smallest_and_largest_memory_run(memory):
    """Processes start with each of the accepted sizes."""
    assert Environment(memory=memory).spawn(lambda: 1).result() == 1


def test_replace_changes_one_thing_in_a_copy():
    """By the names of the limits, checked as ever; an unknown name is told with those that there are."""
    first = Environment(timeout=10, env={"A": "1"})
    assert first.replace(memory=128 * MIB) == Environment(timeout=10, env={"A": "1"}, memory=128 * MIB)
    assert first == Environment(timeout=10, env={"A": "1"})
    with pytest.raises(ValueError, match="timeout"):
        first.replace(timeout=-1)
    with pytest.raises(TypeError, match="Environment has no 'timeuot'; it has memory, timeout"):
        first.replace(timeuot=3)
