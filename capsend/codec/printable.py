"""Untrusted text made fit for one line of a log or a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return *text* as one line without control sequences: characters that do not print are escaped, so that nobody can forge lines of a log."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
