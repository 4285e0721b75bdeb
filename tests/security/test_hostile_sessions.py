"""Hostile programs as cells of a session: it goes on, or ends with its reason, and the host and other sessions are as before.

Every second program is tried, as `test_hostile` tries all of them in processes; all with CAPSEND_EVERYWHERE=1.
"""

import contextlib
import os
import time
from pathlib import Path

import pytest
from hostile import access, answers, authority, children, decoding, exceptions, guest, interpreter, resources
from hostile.expect import ATTACKS, MIB

from capsend import Environment, Image, Session
from tests.memory import resident

pytestmark = pytest.mark.filterwarnings("ignore")  # attacks warn
MODULES = (access, answers, authority, children, decoding, exceptions, guest, interpreter, resources)
CHOSEN = ATTACKS if os.environ.get("CAPSEND_EVERYWHERE") == "1" else ATTACKS[::2]
TIMEOUT = 3.0
SLOWEST = 60.0
LARGEST = 500 * MIB
MARK = Path("/tmp/capsend-was-here")


@pytest.fixture(scope="module")
def bystander():
    """A session that has done nothing wrong."""
    Image().ensure()
    with Session(Environment(timeout=60)) as session:
        session.run("kept = 1")
        yield session


def forget_the_peak():
    """Start `VmHWM` anew."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


@pytest.mark.parametrize(
    "attack", CHOSEN, ids=lambda attack: f"{attack.program.__module__[8:]}-{attack.program.__name__}"
)
def test_session_goes_on_or_ends_with_its_reason(attack, bystander, capsys):
    """After any cell the next one gets an answer; others are not affected."""
    output = []
    limits = {**attack.limits, "timeout": min(attack.limits["timeout"] or TIMEOUT, TIMEOUT)}
    environment = Environment(**{"stdout": output.append, "stderr": output.append} | limits)
    forget_the_peak()
    before, start = resident(), time.monotonic()
    with Session(environment, attack=attack.program) as session:
        first = session.execute("attack()")
        assert first.error is None or isinstance(first.error, Exception)
        second = session.execute("1 + 1")
        reason = session.process.exit_reason
        assert reason in {None, "limit", "trap", "failed", "killed"}
        assert (reason is None) or second.error is not None
        assert second.error is None or isinstance(second.error, Exception)
        with contextlib.suppress(Exception):  # a snapshot of what is left, where the session goes on
            if reason is None:
                session.fork().close()
    assert time.monotonic() - start < SLOWEST
    assert len("".join(output).encode()) <= 4 * attack.limits["output"]
    assert bystander.run("kept") == 1
    assert not MARK.exists()
    assert resident("VmHWM") - before < LARGEST
    assert capsys.readouterr() == ("", "")
