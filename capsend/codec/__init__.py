"""Values as text and back: the encoding of everything that host and guest exchange; `docs/wire.md` documents it."""

from __future__ import annotations

from capsend.codec.encoder import Instead, blob, dumps
from capsend.codec.limits import MAX_GENERAL_DEPTH, MAX_PLAIN_DEPTH, Budget, Limits, Malformed, NotEncodable, Stopped
from capsend.codec.text import decode, encode, loads, parse

__all__ = [
    "MAX_GENERAL_DEPTH",
    "MAX_PLAIN_DEPTH",
    "Budget",
    "Instead",
    "Limits",
    "Malformed",
    "NotEncodable",
    "Stopped",
    "blob",
    "decode",
    "dumps",
    "encode",
    "loads",
    "parse",
]
