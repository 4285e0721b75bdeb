"""Hostile programs: each ends as it should, alone, in bounded time and memory, and the host goes on."""

import asyncio
import contextlib
import os
import re
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
try:
    from hostile import access, answers, exceptions, guest, interpreter, resources
    from hostile.expect import ANYTHING, ATTACKS, MIB
finally:
    sys.path.remove(str(HERE))

from capsend import Environment, Executor, Image, ProcessFailed, spawn  # noqa: E402 - after the programs, whose folder is not on the path

MODULES = (access, answers, exceptions, guest, interpreter, resources)
SLOWEST = 45.0
LARGEST = 400 * MIB
MARK = Path("/tmp/capsend-was-here")


def resident(field="VmRSS"):
    """Bytes of memory this OS process has, or has had at most since `forget_the_peak`."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) * 1024


def forget_the_peak():
    """Start `VmHWM` anew."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


@pytest.fixture(scope="module")
def bystander():
    """A process that has done nothing wrong."""
    process = Environment(timeout=None).spawn(time.sleep, 100_000)
    yield process
    assert not process.done()
    process.kill()


@pytest.fixture(autouse=True, scope="module")
def ready():
    """The image is built before anything is timed, and this program has a secret."""
    os.environ["CAPSEND_TEST_SECRET"] = "capsend-secret"
    Image().ensure()
    yield
    del os.environ["CAPSEND_TEST_SECRET"]


def outcome(process):
    """What the process returned and what it raised."""
    try:
        return process.result(timeout=60), None
    except BaseException as error:
        return None, error


@pytest.mark.parametrize(
    "attack", ATTACKS, ids=lambda attack: f"{attack.program.__module__[8:]}-{attack.program.__name__}"
)
def test_attack_ends_as_it_should_and_alone(attack, bystander, capsys):
    """Exit reason, exception, time, memory and output are as expected; the bystander lives and the next spawn works."""
    out, err = [], []
    forget_the_peak()
    before, start = resident(), time.monotonic()
    process = Environment(stdout=out.append, stderr=err.append, **attack.limits).spawn(attack.program)
    value, error = outcome(process)
    assert process.exit_reason in attack.ends, (value, repr(error)[:2000])
    if attack.raises is not None:
        assert isinstance(error, attack.raises), (value, repr(error)[:2000])
    if attack.returns is not ANYTHING:
        assert attack.returns(value) if callable(attack.returns) else value == attack.returns, value
    if error is not None:
        check_error(error, attack)
    assert time.monotonic() - start < SLOWEST
    assert len("".join([*out, *err]).encode()) <= attack.limits["output"]
    assert spawn(pow, 2, 10).result(timeout=30) == 1024
    assert not bystander.done()
    assert not MARK.exists()
    assert resident("VmHWM") - before < LARGEST
    assert capsys.readouterr() == ("", "")


def check_error(error, attack):
    """No error can end the program that asks for the result, and none shows what the process had no right to."""
    import traceback

    assert isinstance(error, Exception)
    assert re.search(attack.says, str(error), re.DOTALL)
    shown = "".join(traceback.format_exception(error))
    assert len(shown) < 3 * MIB
    assert not any(line in shown for line in Path("/etc/passwd").read_text().splitlines())


def interrupt():
    """As Ctrl-C does."""
    raise KeyboardInterrupt


def cancel():
    """As the cancellation of a task does."""
    raise asyncio.CancelledError


def test_there_are_enough_attacks():
    """The list was not emptied by mistake, and no two have one name."""
    names = [(attack.program.__module__, attack.program.__name__) for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 100


@pytest.mark.parametrize("program", [sys.exit, interrupt, cancel])
def test_task_cannot_end_the_event_loop(program):
    """Nor through an executor, where the same would hold for all who share the loop."""

    async def main():
        with Executor(1) as executor:
            hostile = asyncio.get_running_loop().run_in_executor(executor, program)
            return (await asyncio.gather(hostile, return_exceptions=True))[0]

    error = asyncio.run(main())
    assert isinstance(error, ProcessFailed)
    assert not isinstance(error, (SystemExit, KeyboardInterrupt))


@pytest.mark.parametrize("program", [sys.exit, interrupt, cancel])
def test_process_cannot_end_the_event_loop(program):
    """In asyncio a SystemExit or KeyboardInterrupt of one task ends the loop of all: a process must not get one there."""

    async def main():
        async def wait():
            await spawn(program)

        hostile = asyncio.ensure_future(wait())
        harmless = asyncio.ensure_future(asyncio.sleep(0.2, "done"))
        await asyncio.wait([hostile])
        return type(hostile.exception()), await harmless

    kind, result = asyncio.run(main())
    assert issubclass(kind, ProcessFailed)
    assert result == "done"
