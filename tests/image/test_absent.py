"""The modules of the standard library that no image has: one table, which the image and the type checker agree with."""

from __future__ import annotations

import sys

import pytest
from capsend_traits.absent import ABSENT, HOST_CURE, cure

import capsend
from capsend import Image


def test_the_type_checker_and_the_image_agree_on_every_module() -> None:
    """About the host's standard library; programs do not import private modules that the image has under other names."""
    names = pytest.importorskip("capsend_mypy.names")
    held = Image().modules
    public = {module for module in sys.stdlib_module_names if not module.startswith("_")}
    assert {module for module in public if names.is_absent(module) == (module in held)} == set()
    assert {module for module in ABSENT if module in held} == set()


def test_each_name_has_its_true_reason() -> None:
    """The cure says why a module is missing: not all that is missing needs the operating system."""
    assert "Python 3.13 removed it" in cure("imghdr")
    assert "a library in C" in cure("ctypes.util")
    assert "needs the operating system" in cure("fcntl")
    assert cure("ssl") == f"a process has no network: {HOST_CURE}"


def test_a_refused_module_is_refused_with_its_reason() -> None:
    """At run time as in the table."""
    import ctypes

    with pytest.raises(capsend.CaptureError, match="do without it: it needs a library in C"):
        capsend.check(lambda: ctypes.sizeof(ctypes.c_int))
