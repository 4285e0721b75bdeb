"""The calls that an image makes while it is built, as the texts that a process gets."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from capsend import codec

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_NAME: Final = "rehearsal_calls"


def texts(*, knows: Callable[[str], bool]) -> str:
    """Return every rehearsed call as JSON, `[[program, call], ...]`, made by the very code that makes the real ones.

    Args:
        knows: returns whether an image has a module of that full name.
    """
    from capsend.shipping.ship import ship

    module = _load()
    # The functions take the part of a user's own: they go by source, as those of a module that no image holds.
    sys.modules[_NAME] = module
    try:
        calls = [ship(function, args, kwargs, knows=knows) for function, args, kwargs in module.calls()]
    finally:
        del sys.modules[_NAME]
    return codec.dumps([[shipment.program, shipment.call] for shipment in calls])


def _load() -> ModuleType:
    path = Path(__file__).parent.parent / "guest" / f"{_NAME}.py"
    spec = importlib.util.spec_from_file_location(_NAME, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
    return module
