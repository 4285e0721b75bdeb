"""Local time in a guest: the image's C library has only UTC, so this module follows the zone in the environment variable `TZ`.

It replaces every function of `time` and `datetime` that uses local time; the classes of `datetime` stay the same.
"""

from __future__ import annotations

import datetime
import gc
import io
import logging
import os
import struct
import sys
import time
import zoneinfo
from typing import Any, Final

_TIME_NAMES: Final = ("localtime", "mktime", "ctime", "asctime", "strftime")
_original: Final[dict[str, Any]] = {name: getattr(time, name) for name in _TIME_NAMES}
_aware: Final = datetime.datetime.__dict__["fromtimestamp"]
_date_of: Final = datetime.date.__dict__["fromtimestamp"]
_timestamp: Final = datetime.datetime.timestamp
_now: Final = datetime.datetime.__dict__["now"]
_astimezone: Final = datetime.datetime.astimezone

_zone: datetime.tzinfo = datetime.UTC


def follow() -> None:
    """Use the zone that `TZ` names now; an unknown zone means UTC, as in a C library."""
    global _zone  # noqa: PLW0603 - a process has one zone
    _zone = _zone_of(os.environ.get("TZ", "").removeprefix(":"))
    if not hasattr(time, "tzset"):
        _install()
    year = datetime.datetime.now(_zone).year
    winter, summer = (datetime.datetime(year, month, 1, tzinfo=_zone) for month in (1, 7))
    # As CPython does: the smaller offset is standard time, on either side of the equator.
    standard, daylight = sorted((winter, summer), key=lambda moment: moment.utcoffset() or datetime.timedelta())
    time.tzname = (standard.tzname() or "", daylight.tzname() or "")
    time.timezone, time.altzone = (-_seconds(moment.utcoffset()) for moment in (standard, daylight))
    time.daylight = int(time.timezone != time.altzone)


def _zone_of(name: str) -> datetime.tzinfo:
    try:
        return zoneinfo.ZoneInfo(name) if name else datetime.UTC
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        pass
    try:
        return _by_rule(name)
    except (ValueError, UnicodeError):
        return datetime.UTC


def _by_rule(rule: str) -> zoneinfo.ZoneInfo:
    """Return the zone of a POSIX rule such as `EST5EDT,M3.2.0,M11.1.0`, by zone data that consists of the rule alone."""
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    empty = header + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    return zoneinfo.ZoneInfo.from_file(io.BytesIO(empty + empty + b"\n" + rule.encode("ascii") + b"\n"))


def _install() -> None:
    for name in _TIME_NAMES:
        function = globals()[f"_{name}"]
        function.__module__, function.__name__, function.__qualname__ = "time", name, name
        setattr(time, name, function)
    time.tzset = follow
    # a class of the library holds the function as its converter
    logging.Formatter.converter = staticmethod(time.localtime)
    moment = {"fromtimestamp": classmethod(_fromtimestamp), "now": classmethod(_now_in), "timestamp": _timestamp_of}
    moment |= {"today": classmethod(_today), "astimezone": _astimezone_of}
    day = {"fromtimestamp": classmethod(_date_fromtimestamp), "today": classmethod(_today)}
    for cls, methods in ((datetime.datetime, moment), (datetime.date, day)):
        # A class made in C accepts no attributes from Python, but its namespace is an ordinary dict.
        (namespace,) = (found for found in gc.get_referents(cls.__dict__) if type(found) is dict)
        namespace.update(methods)
    sys._clear_internal_caches()  # type: ignore[attr-defined] # noqa: SLF001 - lookups cache the earlier value


# --- time ---


def _localtime(seconds: float | None = None, /) -> time.struct_time:
    moment = _aware.__get__(None, datetime.datetime)(time.time() if seconds is None else seconds // 1, _zone)
    fields = (*moment.timetuple()[:8], int(bool(moment.dst())))
    return time.struct_time((*fields, moment.tzname(), _seconds(moment.utcoffset())))


def _mktime(fields: Any, /) -> float:
    year, month, day, hour, minute, second, _, _, dst = tuple(fields)[:9]
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    begin = datetime.datetime(year, month, 1)  # noqa: DTZ001 - the local time, whose zone follows
    naive = begin + datetime.timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    aware = naive.replace(tzinfo=_zone)
    other = naive.replace(tzinfo=_zone, fold=1)
    if dst in {0, 1} and int(bool(aware.dst())) != dst and int(bool(other.dst())) == dst:
        aware = other
    return _timestamp(aware)


def _ctime(seconds: float | None = None, /) -> str:
    return str(_original["asctime"](_localtime(seconds)))


def _asctime(fields: Any = None, /) -> str:
    return str(_original["asctime"](_localtime() if fields is None else fields))


def _strftime(pattern: str, fields: Any = None, /) -> str:
    return str(_original["strftime"](pattern, _localtime() if fields is None else fields))


# --- datetime ---


def _fromtimestamp(cls: Any, timestamp: float, tz: datetime.tzinfo | None = None) -> Any:
    if tz is not None:
        return _aware.__get__(None, cls)(timestamp, tz)
    return _aware.__get__(None, cls)(timestamp, _zone).replace(tzinfo=None)


def _now_in(cls: Any, tz: datetime.tzinfo | None = None) -> Any:
    return _now.__get__(None, cls)(_zone if tz is None else tz).replace(tzinfo=tz)


def _today(cls: Any) -> Any:
    return cls.fromtimestamp(time.time())


def _date_fromtimestamp(cls: Any, timestamp: float, /) -> Any:
    moment = _aware.__get__(None, datetime.datetime)(timestamp, _zone)
    return cls(moment.year, moment.month, moment.day)


def _timestamp_of(self: Any) -> float:
    return _timestamp(self if self.tzinfo is not None else self.replace(tzinfo=_zone))


def _astimezone_of(self: Any, tz: datetime.tzinfo | None = None) -> Any:
    aware = self if self.utcoffset() is not None else self.replace(tzinfo=_zone)
    if tz is None:
        there = _astimezone(aware, _zone)
        tz = datetime.timezone(there.utcoffset() or datetime.timedelta(), there.tzname() or "")
    return _astimezone(aware, tz)


def _seconds(offset: datetime.timedelta | None) -> int:
    return int(offset / datetime.timedelta(seconds=1)) if offset is not None else 0
