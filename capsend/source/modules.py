"""Loaded modules and their code, as found by name on host and guest."""

from __future__ import annotations

import sys
import types
from typing import Any


def loaded(name: str) -> types.ModuleType | None:
    """Return the loaded module of a name; None if there is none, or if `sys.modules` has another kind of object for the name."""
    module = sys.modules.get(name)
    return module if isinstance(module, types.ModuleType) else None


def shown_name(qualname: str) -> str:
    """Return the name of a function or class for messages: its qualified name without enclosing functions."""
    return qualname.rpartition("<locals>.")[2]


def code_in(found: Any, qualname: str) -> types.CodeType | None:
    """Return the code of a function defined in a module, or within a function of the module; None if it does not exist.

    Args:
        found: the module's object for the first part of the name, perhaps a decorator around the function.
        qualname: the qualified name of the code.
    """
    first, *parts = qualname.split(".<locals>.")
    while found is not None and getattr(getattr(found, "__code__", None), "co_qualname", None) != first:
        found = getattr(found, "__wrapped__", None)
    code: types.CodeType | None = getattr(found, "__code__", None)
    for part in parts:
        inner = [each for each in (code.co_consts if code is not None else ()) if isinstance(each, types.CodeType)]
        code = next((each for each in inner if each.co_name == part.rpartition(".")[2]), None)
    return code
