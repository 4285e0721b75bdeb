"""The versions of the tools on whose internals capsend depends."""

from __future__ import annotations

import importlib.metadata
import os
import re
from typing import Final

SWITCH: Final = "CAPSEND_ANY_VERSION"
"""The environment variable that, set to 1, admits other versions, to try capsend with new ones."""

TESTED: Final = {
    "wasmtime": ((50, 0, 1), (51,)),
    "componentize-py": ((0, 25, 1), (0, 26)),
}
"""{distribution: (first version that passes the tests, first version that is untested)}, as in `pyproject.toml`."""


def check(distribution: str) -> str:
    """Return the installed version of a tool.

    Raises:
        ImportError: the tool is not installed, or its version is untested.
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
