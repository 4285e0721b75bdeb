"""Visible differences of a process: one function for each row of `docs/differences.md`.

Run as a program, it changes the state of this interpreter as the page states, calls each function on the host and in a
process, and prints JSON: {row: [answer of the host, answer of the process]}.
"""

from __future__ import annotations

import array
import builtins
import calendar
import csv
import datetime
import decimal
import errno
import hashlib
import ipaddress
import json
import locale
import logging
import mimetypes
import os
import pathlib
import platform
import random
import struct
import subprocess
import sys
import threading
import time
import traceback
import typing
import unicodedata
import urllib.request
from typing import TYPE_CHECKING, Final

from capsend import spawn

if TYPE_CHECKING:
    from collections.abc import Callable

NOTICE: Final = 35


def decimal_context() -> str:
    return str(decimal.Decimal(1) / decimal.Decimal(7))


def logging_configuration() -> tuple[bool, str]:
    return logging.getLogger("app").isEnabledFor(logging.WARNING), logging.getLevelName(NOTICE)


def random_numbers() -> float:
    return random.random()


def locale_settings() -> str:
    return locale.setlocale(locale.LC_ALL)


def first_day_of_the_week() -> str:
    return calendar.weekheader(2)


def kinds_of_files() -> str | None:
    return mimetypes.guess_type("a.mine")[0]


def registrations() -> tuple[bool, list[str]]:
    return hasattr(builtins, "given"), csv.list_dialects()


def changes_to_the_standard_library() -> str:
    return json.JSONEncoder().encode([1, 2])


def settings_of_the_interpreter() -> tuple[int, list[str], list[str]]:
    return sys.getrecursionlimit(), sys.argv, sys.path


def environment_variables() -> str:
    return os.environ.get("MODE", "lax")


def time_zone() -> str:
    return datetime.datetime.fromtimestamp(1_700_000_000).isoformat()  # noqa: DTZ006 - the local time is what is asked for


def files_and_folders() -> tuple[str, bool]:
    return os.getcwd(), pathlib.Path(os.sep, "etc").exists()


def network() -> str:
    try:
        urllib.request.urlopen("http://127.0.0.1:9/", timeout=1)
    except Exception as error:
        return f"{type(error).__name__} {error}"
    return "there"


def threads() -> str:
    try:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    except RuntimeError as error:
        return str(error)
    return "started"


def other_programs() -> str:
    try:
        return str(subprocess.run([sys.executable or "python", "-c", "0"], check=False).returncode)
    except Exception as error:
        return type(error).__name__


def terminal() -> str:
    return sys.stdin.read(1)


def names_of_the_machine() -> tuple[str, int]:
    return platform.node(), os.getpid()


def platform_names() -> tuple[str, str, str]:
    return sys.platform, platform.system(), platform.machine()


def error_numbers() -> int:
    return errno.EADDRINUSE


def sizes_of_numbers() -> tuple[int, int, int]:
    return sys.maxsize, struct.calcsize("l"), array.array("l").itemsize


def longest_length() -> str:
    try:
        return str(len(range(10**10)))
    except OverflowError:
        return "OverflowError"


def hashes() -> tuple[int, int]:
    return hash(2**40), hash(10**12) % 8


def key_derivation() -> str:
    try:
        return hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 1).hex()
    except AttributeError as error:
        return type(error).__name__


def clocks() -> float:
    return time.monotonic()


def sum_of_floats() -> float:
    return sum([0.1] * 10)


def private_addresses() -> bool:
    return ipaddress.ip_address("64:ff9b:1::1").is_private


def paths() -> str:
    return pathlib.PurePath("a.").suffix


def unicode_tables() -> str:
    return unicodedata.unidata_version


def source_lines_in_tracebacks() -> bool:
    try:
        raise ValueError("this line")
    except ValueError:
        return 'raise ValueError("this line")' in traceback.format_exc()


def texts_of_python() -> str:
    return repr(typing.Optional[int])  # noqa: UP045 - its text is what differs


def version_of_python() -> tuple[int, int]:
    return sys.version_info[:2]


def prepare() -> None:
    """Change what a program can change, so that it shows."""
    decimal.getcontext().prec = 6
    logging.getLogger("app").setLevel(logging.ERROR)
    logging.addLevelName(NOTICE, "NOTICE")
    random.seed(7)
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    calendar.setfirstweekday(calendar.SUNDAY)
    mimetypes.add_type("text/x-mine", ".mine")
    csv.register_dialect("semicolons", delimiter=";")
    vars(builtins)["given"] = 1
    json.JSONEncoder.item_separator = ";"
    os.environ |= {"MODE": "strict", "TZ": "America/New_York"}
    time.tzset()


ROWS: Final[dict[str, Callable[[], object]]] = {
    "decimal context": decimal_context,
    "logging": logging_configuration,
    "random numbers": random_numbers,
    "locale": locale_settings,
    "calendar": first_day_of_the_week,
    "kinds of files": kinds_of_files,
    "registrations": registrations,
    "changed library": changes_to_the_standard_library,
    "interpreter": settings_of_the_interpreter,
    "environment variables": environment_variables,
    "time zone": time_zone,
    "files": files_and_folders,
    "network": network,
    "threads": threads,
    "programs": other_programs,
    "terminal": terminal,
    "names of the machine": names_of_the_machine,
    "tracebacks": source_lines_in_tracebacks,
    "platform": platform_names,
    "error numbers": error_numbers,
    "32 bits": sizes_of_numbers,
    "lengths": longest_length,
    "hashes": hashes,
    "key derivation": key_derivation,
    "clocks": clocks,
    "sum of floats": sum_of_floats,
    "private addresses": private_addresses,
    "paths": paths,
    "Unicode": unicode_tables,
    "texts": texts_of_python,
    "version of Python": version_of_python,
}


def main() -> None:
    """Call every function on both sides."""
    prepare()
    answers = {row: [function(), spawn(function).result(timeout=60)] for row, function in ROWS.items()}
    sys.stdout.write(json.dumps(answers, separators=(",", ":")))


if __name__ == "__main__":
    main()
