"""`docs/differences.md` is true: each row is there, and nothing that `capsend explain` says of it has gone."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from datetime import datetime
from hashlib import pbkdf2_hmac
from pathlib import Path

import pytest

from capsend import Environment
from capsend.commands.differences import DIFFERENCES, OF_PACKAGES, sentences
from tests import differences

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"
OF_PYTHON_3_14 = dict.fromkeys(("partials in a class", "paths", "Unicode", "texts", "version of Python"), (3, 14))
UNTIL = {"sum of floats": (3, 12), "private addresses": (3, 13), **OF_PYTHON_3_14}


@pytest.fixture(scope="module")
def answers(template) -> dict[str, list[object]]:
    """Return {row: [answer of the host, answer of the process]}."""
    done = subprocess.run(
        [sys.executable, differences.__file__], capture_output=True, text=True, timeout=300, check=False, input="x"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("row", differences.ROWS)
def test_difference_of_the_page_is_there(answers, row):
    """Differences between Python versions disappear if the host's Python is as new as the image's."""
    here, inside = answers[row]
    assert (here != inside) or sys.version_info[:2] >= UNTIL.get(row, (4, 0))


def test_page_has_each_row_once():
    """No row without a program, and no program without a row."""
    rows = re.findall(r"^\| ([\w ]+?) \|", PAGE.read_text(), re.MULTILINE)
    assert [row for row in rows if row != "topic"] == list(differences.ROWS)


def test_explain_knows_rows_of_the_page_only():
    """In their order."""
    rows = [difference.row for difference in DIFFERENCES]
    assert rows == [row for row in differences.ROWS if row in rows]
    until = {difference.row: difference.until for difference in DIFFERENCES if difference.until}
    assert until == {row: version for row, version in UNTIL.items() if row in rows}


def test_explain_says_what_the_code_of_a_function_touches():
    """However the name is spelt, and nothing else."""

    def own(n: int) -> object:
        from decimal import Decimal

        return Decimal(n), random.random(), datetime.now(), hash(n), pbkdf2_hmac("md5", b"", b"", n)  # noqa: DTZ005 - the local time is what is asked for

    topics = {difference.sentence: difference.row for difference in DIFFERENCES}
    assert [topics[sentence] for sentence in sentences([own])] == [
        "decimal context",
        "random numbers",
        "time zone",
        "hashes",
        "key derivation",
    ]

    def nothing(n: int) -> int:
        return n + 1

    assert sentences([nothing]) == []


def read_clock(timestamp: float) -> list[object]:
    """Ask for local time in every way."""
    import datetime as dt
    import logging
    import time

    moment = dt.datetime.fromtimestamp(timestamp)  # noqa: DTZ006 - the local time is what is asked for
    record = logging.LogRecord("a", 20, "f", 1, "m", (), None)
    record.created, record.msecs = timestamp, 0.0

    class Own(dt.datetime):
        pass

    return [
        *(
            moment.isoformat(),
            moment.timestamp(),
            moment.astimezone().isoformat(),
            moment.astimezone().tzname(),
            moment.fold,
        ),
        *(list(time.localtime(timestamp)), time.localtime(timestamp).tm_zone, time.localtime(timestamp).tm_gmtoff),
        *(
            time.mktime(time.localtime(timestamp)),
            time.ctime(timestamp),
            time.strftime("%H %Z %z", time.localtime(timestamp)),
        ),
        *(time.tzname, time.timezone, time.altzone, time.daylight, dt.date.fromtimestamp(timestamp).isoformat()),  # noqa: DTZ012 - as above
        *(
            type(Own.fromtimestamp(timestamp)).__name__,
            type(Own.now()).__name__,
            logging.Formatter().formatTime(record),
        ),
        abs((dt.datetime.now() - dt.datetime.fromtimestamp(time.time())).total_seconds()) < 5,  # noqa: DTZ005, DTZ006 - as above
        dt.datetime.now(dt.UTC).utcoffset() == dt.timedelta(),
    ]


ZONES = (
    "America/New_York",
    "Europe/Paris",
    ":Asia/Kolkata",
    "Australia/Sydney",
    "EST5EDT,M3.2.0,M11.1.0",
    "<+03>-3",
    "UTC0",
)


@pytest.mark.parametrize("zone", ZONES)
def test_local_time_is_that_of_the_zone_in_the_environment(zone, tmp_path, template):
    """`time`, `datetime` and `logging` answer as on a host with that variable; also in the hour that comes twice, and before 1970."""
    moments = [1_700_000_000.25, 1_719_792_000.0, -86_400.5, 1_699_163_999.0, 1_699_167_600.0]
    script = tmp_path / "clock.py"
    lines = [
        "import json, sys",
        f"sys.path.insert(0, {str(PAGE.parent.parent)!r})",
        "from tests.documents.test_differences import read_clock",
        f"print(json.dumps([read_clock(moment) for moment in {moments}]))",
    ]
    script.write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env={"TZ": zone}, timeout=60, check=True
    )
    inside = [Environment(env={"TZ": zone}).spawn(read_clock, moment).result(60) for moment in moments]
    assert json.loads(json.dumps(inside)) == json.loads(done.stdout)


def test_zone_that_nobody_knows_is_utc(template):
    """As for a C library."""
    assert Environment(env={"TZ": "No/Such"}).spawn(read_clock, 0.0).result(60)[0] == "1970-01-01T00:00:00"


def test_asserts_and_debug_are_as_in_the_program(tmp_path, template):
    """Code that `-O` leaves out on the host is left out in the process too."""
    script = tmp_path / "asserting.py"
    script.write_text(
        "from capsend import spawn\n\ndef f():\n    assert False\n    return __debug__\n\nprint(f(), spawn(f).result(60))\n"
    )
    done = subprocess.run([sys.executable, "-O", str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "False False\n", done.stderr


def test_explain_says_what_differs_in_packages_with_native_code():
    """Rows of their page, by the names that touch them."""
    import numpy as np

    page = PAGE.with_name("native.md").read_text(encoding="utf-8")
    assert all(f"| {difference.row} |" in page for difference in OF_PACKAGES)

    def own(n: int) -> object:
        with np.errstate(divide="raise"):
            return np.linalg.norm(np.arange(n)), np.load

    assert sentences([own]) == [difference.sentence for difference in OF_PACKAGES]
    assert sentences([lambda: np.zeros(3)]) == []
