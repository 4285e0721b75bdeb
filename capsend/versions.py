"""The versions of the tools of which capsend uses parts that they do not promise to keep."""

from __future__ import annotations

import importlib.metadata
import os
import re
from typing import Final

SWITCH: Final = "CAPSEND_ANY_VERSION"
"""The environment variable that lets other versions pass when it is 1: for trying capsend with new ones."""

TESTED: Final = {
    "wasmtime": ((50, 0, 1), (51,)),
    "componentize-py": ((0, 25, 1), (0, 26)),
}
"""{distribution: (the first version that the tests pass with, the first one that they were not run with)}, as in `pyproject.toml`."""


def check(distribution: str) -> str:
    """Return the installed version of a tool.

    Raises:
        ImportError: it is not installed, or in a version that was not tested.
    """
    first, beyond = TESTED[distribution]
    wanted = f"{distribution}>={'.'.join(map(str, first))},<{'.'.join(map(str, beyond))}"
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(f"{distribution} is not installed. Install it: pip install '{wanted}'") from None
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if not first <= numbers < beyond and os.environ.get(SWITCH) != "1":
        raise ImportError(
            f"capsend uses parts of {distribution} that change from version to version, and was not tested with the installed {version}. "
            f"Install one that was: pip install '{wanted}'"
        )
    return version
