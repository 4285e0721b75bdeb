"""The declarations: which types are ProcessSend or Serializable, and why the others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from capsend_traits._declaration import Declaration, DeclarationError, Trait
    from capsend_traits._fingerprint import fingerprint, state_of
    from capsend_traits._folder import BAKED, installed_providers
    from capsend_traits._table import Table, table

__all__ = [
    "BAKED",
    "Declaration",
    "DeclarationError",
    "Table",
    "Trait",
    "fingerprint",
    "installed_providers",
    "state_of",
    "table",
]

_PLACES: Final = {
    "BAKED": "_folder",
    "Declaration": "_declaration",
    "DeclarationError": "_declaration",
    "Table": "_table",
    "Trait": "_declaration",
    "fingerprint": "_fingerprint",
    "installed_providers": "_folder",
    "state_of": "_fingerprint",
    "table": "_table",
}


def __getattr__(name: str) -> object:
    """Import the module of a name at the name's first use: mypy starts with the fingerprint alone."""
    if name not in _PLACES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import importlib

    found: object = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found
