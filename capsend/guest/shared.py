"""The modules that guest and host share, under the names by which the host's modules import them."""

from __future__ import annotations

import importlib
import sys

_PACKAGE = __name__.rpartition(".")[0]
_OUTSIDE = "capsend.guest"
_NAMES = ("codec", "codec_instances", "codec_types", "compiling", "describing", "failure")


def install() -> None:
    """Make them known; before anything of the host's is imported."""
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
