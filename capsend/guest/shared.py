"""The modules that guest and host share, under the names by which the host's modules import them."""

from __future__ import annotations

import importlib
import sys

_PACKAGE = __name__.rpartition(".")[0]
_OUTSIDE = "capsend.guest"
_NAMES = ("codec", "codec_instances", "compiling", "failure")

_running = False


def is_running() -> bool:
    """Tell whether the program has been rebuilt, so that what it defines now is new."""
    return _running


def run(*, running: bool) -> None:
    """Say whether the program runs, or is being rebuilt."""
    global _running  # noqa: PLW0603 - one process, one program
    _running = running


def _install() -> None:
    sys.modules[_OUTSIDE] = sys.modules[_PACKAGE]
    for name in _NAMES:
        sys.modules[f"{_OUTSIDE}.{name}"] = importlib.import_module(f"{_PACKAGE}.{name}")


def read_declarations() -> None:
    """Read all declarations, while there are files."""
    import capsend_traits

    table = capsend_traits.table()
    for module in table.modules():
        table.declarations(module)


def check() -> None:
    """See to it that no module of the guest was loaded twice.

    Raises:
        ImportError: a shared module imports one of the guest's that is not listed here.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{_OUTSIDE}.") and module.__name__ == name:
            raise ImportError(f"{name} was loaded twice: list it in {__name__}")


_install()
