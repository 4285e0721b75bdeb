"""Warnings of a process, sent to the `warnings` of the host and subject to the host's filters."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from capsend.codec.operations import Operation, RefusalWord
from capsend.codec.text import dumps

from . import host_operations

_LONGEST = 2_000


def _show(message: Any) -> None:
    """Report a warning to the host; raise it where the host's filters make an error of its kind."""
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
    """Let all warnings that a program does not filter itself go to the host, each place once."""
    warnings.resetwarnings()
    warnings.simplefilter("default")
    vars(warnings)["_showwarnmsg_impl"] = _show
