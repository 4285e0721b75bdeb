"""Fixtures shared by the tests of running processes."""

from __future__ import annotations

import gc

import pytest

import capsend
from capsend.runtime.running import _live
from tests.eventually import eventually


@pytest.fixture
def nothing_left():
    """Whatever a test does: all processes end, and none is forgotten."""
    yield
    gc.collect()
    eventually(lambda: not capsend.processes() and not _live)
