"""Time zones in a guest, read from the image, since a guest has no files."""

from __future__ import annotations

import base64
import io
import json
import pathlib
import zoneinfo
import zoneinfo._common
import zoneinfo._tzpath


def _load() -> dict[str, bytes]:
    path = pathlib.Path(__file__).with_name("zones.json")
    encoded = json.loads(path.read_text("ascii")) if path.exists() else {}
    return {key: base64.b64decode(data) for key, data in encoded.items()}


_ZONES = _load()


def load_tzdata(key: str) -> io.BytesIO:
    """Open the data of a zone."""
    try:
        return io.BytesIO(_ZONES[key])
    except (KeyError, TypeError):
        message = f"No time zone found with key {key}"
        raise zoneinfo.ZoneInfoNotFoundError(message) from None


def available_timezones() -> set[str]:
    """Return the set of the image's zones."""
    return {key for key in _ZONES if key not in {"localtime", "posixrules", "Factory"}}


def install() -> None:
    """Let `zoneinfo` find the image's zones."""
    zoneinfo._common.load_tzdata = load_tzdata  # type: ignore[assignment] # noqa: SLF001 - the one place that both implementations ask
    zoneinfo.available_timezones = zoneinfo._tzpath.available_timezones = available_timezones  # noqa: SLF001 - as above
    zoneinfo.reset_tzpath(to=())
