"""The time zones of the host, to be baked into an image: a guest has no files to read them from."""

from __future__ import annotations

import base64
import importlib.util
import os
import zoneinfo
from pathlib import Path

from capsend import codec

_OTHER_FORMS = ("posix", "right")


def folder() -> Path | None:
    """Return the folder of the zones: the first that `zoneinfo` searches, or the package `tzdata`; None if neither exists."""
    for path in map(Path, zoneinfo.TZPATH):
        if (path / "UTC").is_file():
            return path
    spec = importlib.util.find_spec("tzdata")
    return Path(spec.origin).parent / "zoneinfo" if spec is not None and spec.origin else None


def version() -> str:
    """Return a text that changes when the zones change."""
    path = folder()
    if path is None:
        return "none"
    for name in ("tzdata.zi", "+VERSION"):
        try:
            with (path / name).open(encoding="utf-8") as file:
                return file.readline().strip()
        except OSError:
            continue
    return str((path / "UTC").stat().st_mtime_ns)


def write(target: Path) -> None:
    """Write all zones as JSON: {key: TZif content in base64}."""
    path = folder()
    zones = {} if path is None else {key: _read(path / key) for key in _keys(path)}
    found = {key: base64.b64encode(data).decode() for key, data in zones.items() if data.startswith(b"TZif")}
    target.write_text(codec.dumps(found), encoding="ascii")


def _keys(path: Path) -> list[str]:
    keys = []
    for place, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name not in _OTHER_FORMS]
        keys += [Path(place, name).relative_to(path).as_posix() for name in files]
    return sorted(keys)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
