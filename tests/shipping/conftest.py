"""Fixtures of the tests of shipping."""

from __future__ import annotations

from typing import Any

import pytest

from capsend.environment import default
from capsend.shipping import prepared


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The functions that are walked during the test."""
    made: list[object] = []
    walked = prepared.walked

    def noted(function: Any, *args: Any, **options: Any) -> Any:
        made.append(function)
        return walked(function, *args, **options)

    default().image.ensure()  # its trial walks over other functions
    prepared._kept.__init__()  # type: ignore[misc]  # nothing is kept of other tests
    monkeypatch.setattr(prepared, "walked", noted)
    return made
