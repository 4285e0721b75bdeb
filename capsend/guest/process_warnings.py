"""Warnings of a process, forwarded to the host's `warnings` and subject to its filters."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from capsend.codec.operations import Operation, RefusalWord
from capsend.codec.text import dumps

from . import host_operations

_LONGEST = 2_000


def _show(message: Any) -> None:
    """Report a warning to the host; raise it if the host's filters turn it into an error."""
    category = message.category
    known = next(c.__name__ for c in category.__mro__ if c.__module__ == "builtins" and issubclass(c, Warning))
    text = str(message.message)
    if category.__module__ != "builtins":
        text = f"{category.__qualname__}: {text}"
    module = next((n for n, m in sys.modules.items() if getattr(m, "__file__", None) == message.filename), "")
    told = [known, text[:_LONGEST], message.filename, message.lineno, module]
    if host_operations.request(Operation.WARN, dumps(told)) == RefusalWord.ERROR:
        raise message.message


def install() -> None:
    """Forward to the host, once per place, all warnings that the program does not filter itself."""
    warnings.resetwarnings()
    warnings.simplefilter("default")
    vars(warnings)["_showwarnmsg_impl"] = _show
