"""Small programs for the command line: a demonstration of capsend, and a test of the installation.

They are loaded as separate modules, like a user's files, or run as scripts: modules of the package `capsend` are not sent to processes.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import types

FOLDER: Final = Path(__file__).parent


def load(name: str) -> types.ModuleType:
    """Return one of the programs as a module named `showcase_<name>`.

    Raises:
        ImportError: no program has that name.
    """
    own_name = f"showcase_{name}"
    if own_name in sys.modules:
        return sys.modules[own_name]
    spec = importlib.util.spec_from_file_location(own_name, FOLDER / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no program {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[own_name] = module
    spec.loader.exec_module(module)
    return module
