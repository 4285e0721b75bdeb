"""The mypy plugin of capsend: `plugins = ["capsend_mypy"]` checks every spawn in the type-check step."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mypy.types  # noqa: F401 - first: mypy's modules import each other in cycles, which can be entered only at some of them
from capsend_traits import fingerprint, state_of

if TYPE_CHECKING:
    from mypy.plugin import Plugin

OLDEST: Final = (2, 4)
TRIED: Final = frozenset({"2.4.0", "2.4.1"})
"""The versions with which the plugin's tests were run: the probe would find nothing, and takes a hundredth of a run in which nothing changed."""


def digest_of(folder: Path) -> str:
    """Return a digest of the plugin's files in a folder, and of all declarations in force."""
    return hashlib.sha256(f"{fingerprint()}{state_of(str(folder))}".encode()).hexdigest()[:16]


# mypy keys its cache by this file and this name alone, so the name must reflect every file of the plugin and every
# declaration.
__version__ = digest_of(Path(__file__).parent)


def plugin(version: str) -> type[Plugin]:
    """Return the plugin's class; mypy calls this with its version.

    Raises:
        CompileError: mypy is older than 2.4, which frees function bodies before a plugin can see their captures; or
            mypy has changed an unpromised part that the plugin uses.
    """
    from mypy.errors import CompileError

    found = tuple(int(part) for part in version.partition("+")[0].split(".")[:2] if part.isdigit())
    if found < OLDEST:
        needed = ".".join(map(str, OLDEST))
        text = f"capsend_mypy needs mypy {needed} or later, this is {version}: older ones free function bodies too early. Upgrade mypy."
        raise CompileError([text], use_stdout=True)
    if version not in TRIED:
        from capsend_mypy import unpromised

        changed = unpromised.missing()
        if changed:
            text = f"capsend_mypy does not support mypy {version}: {changed}. Install a supported one: pip install 'capsend[mypy]'."
            raise CompileError([text], use_stdout=True)
    from capsend_mypy.hooks import CapsendPlugin

    return CapsendPlugin
