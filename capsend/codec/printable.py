"""Untrusted text, made safe for a line of a log or terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return *text* as one line without control sequences: characters that do not print are escaped, so that log lines cannot be forged."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
