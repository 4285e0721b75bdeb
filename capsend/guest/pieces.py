"""The pieces of source text that this process was given, from which what it spawns is cut in turn."""

from __future__ import annotations

from typing import Any

_pieces: list[list[Any]] = []


def begin() -> None:
    """Start with none."""
    _pieces.clear()


def remember(piece: list[Any]) -> None:
    """Keep a piece: what `compile_source` takes."""
    _pieces.append(piece)


def pieces_of(file: str) -> list[list[Any]]:
    """Return the pieces of a file, the newest first."""
    return [piece for piece in reversed(_pieces) if piece[3] == file]


def file_of(kind: str, name: str) -> str | None:
    """Return the file of the newest piece of that kind and name."""
    return next((piece[3] for piece in reversed(_pieces) if piece[0] == kind and piece[1] == name), None)
