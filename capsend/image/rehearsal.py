"""The calls made during the build of an image, as the texts for a process."""

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
    """Return the rehearsed calls as JSON, `[[program, call], ...]`, made by the same code as real calls.

    Args:
        knows: returns whether an image has the module of a full name.
    """
    from capsend.shipping.ship import ship

    module = _load()
    # The functions stand for a user's: they are sent by source, as functions of a module that no image has.
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
