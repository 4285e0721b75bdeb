"""The ends of commands: their exit codes, and their last words on standard error."""

from __future__ import annotations

import shutil
import sys
from typing import Final, NoReturn

import click

FAILED: Final = 1
MISUSED: Final = 2
REFUSED: Final = 3
LIMITED: Final = 4
INTERRUPTED: Final = 130


def stop(message: str, code: int, *, details: str = "") -> NoReturn:
    """Write a message to standard error and exit."""
    if details:
        click.echo(details.rstrip(), err=True)
    text = f"capsend: {message}"
    if sys.stderr.isatty():
        from capsend.commands.display import hanging

        text = hanging(text, shutil.get_terminal_size().columns)
    click.echo(text, err=True)
    raise SystemExit(code)
