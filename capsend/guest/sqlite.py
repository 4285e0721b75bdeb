"""sqlite3 on read-only folders: opened with `nolock=1`, because SQLite's lock would be a folder beside the database."""

from __future__ import annotations

import _sqlite3
import os
import sqlite3
from typing import Any
from urllib.parse import quote, unquote

_connect = sqlite3.connect
_HOW_TO_LOCK = ("nolock=", "immutable=", "vfs=")


def connect(database: Any, *args: Any, **kwargs: Any) -> sqlite3.Connection:
    """Open a database like `sqlite3.connect`; without a lock if this process can only read it."""
    if not args:
        database, kwargs = _without_lock(database, kwargs)
    connection: sqlite3.Connection = _connect(database, *args, **kwargs)
    return connection


def _without_lock(database: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    try:
        name = os.fspath(database)
    except TypeError:
        return database, options
    if not isinstance(name, str) or name in {"", ":memory:"}:
        return database, options
    is_uri = bool(options.get("uri")) and name.startswith("file:")
    path, mark, query = name.removeprefix("file:").partition("?") if is_uri else (quote(name), "", "")
    path = unquote(path)
    if any(word in query for word in _HOW_TO_LOCK) or not os.path.exists(path) or os.access(path, os.W_OK):
        return database, options
    uri = f"{name}{'&' if mark else '?'}nolock=1" if is_uri else f"file:{quote(name)}?nolock=1"
    return uri, {**options, "uri": True}


def install() -> None:
    """Replace `sqlite3.connect`."""
    connect.__module__ = "sqlite3"
    for module in (sqlite3, sqlite3.dbapi2, _sqlite3):
        vars(module)["connect"] = connect
