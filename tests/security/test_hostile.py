"""Hostile programs: each ends as it should, alone, in bounded time and memory, and the host goes on."""

import asyncio
import contextlib
import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest
from census import settled
from hostile import access, answers, authority, children, decoding, exceptions, guest, interpreter, resources
from hostile.expect import ANYTHING, ATTACKS, LIMITS, MIB

from capsend import (
    CaptureError,
    Dir,
    Environment,
    Executor,
    HostFunction,
    Image,
    Mailbox,
    ProcessFailed,
    ProcessKilled,
    process,
    spawn,
)
from capsend.deadlines import Deadlines
from tests.memory import resident

pytestmark = pytest.mark.filterwarnings("ignore")  # attacks warn
MODULES = (access, answers, authority, children, decoding, exceptions, guest, interpreter, resources)
SLOWEST = 45.0
LARGEST = 400 * MIB
MARK = Path("/tmp/capsend-was-here")


class Imports:
    """Imports, opened sources, compilations and executions on other threads while a guest runs: there must be none, whatever the guest does."""

    WATCHED = ("import", "compile", "exec", "open")

    def __init__(self):
        self.on = False
        self.seen = []
        self._main = threading.get_ident()
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if not self.on or event not in self.WATCHED or threading.get_ident() == self._main:
            return
        if event != "open" or str(arguments[0]).endswith((".py", ".pyc", ".so")):
            self.seen.append(f"{event} {arguments[:2]!r}"[:300])


IMPORTS = Imports()


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


@pytest.fixture(autouse=True, scope="module")
def before(ready, bystander):
    """The state before the attacks: a bystander, the objects made once for all processes, and those kept for the functions."""
    for attack in ATTACKS:
        with contextlib.suppress(CaptureError):  # the test of the attack says so
            Environment(**{"stdout": None, "stderr": None} | attack.limits).spawn(attack.program).kill()
    for _ in range(8):
        outcome(Environment(**LIMITS, stdout=None, stderr=None).spawn(attempt))
    return settled()


def outcome(process):
    """Return the result of a process and its error."""
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
    IMPORTS.seen.clear()
    IMPORTS.on = True
    process = Environment(**{"stdout": out.append, "stderr": err.append} | attack.limits).spawn(attack.program)
    value, error = outcome(process)
    IMPORTS.on = False
    assert IMPORTS.seen == []
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
    assert authority.is_untouched()
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


def length(word: str) -> int:
    """Return the length of a word."""
    return len(word)


named = HostFunction(length)
folder = Dir(Path(__file__).parent)


def attempt():
    """Do a little of what attacks do, so that objects made only once exist already."""
    import select
    import warnings

    select.select([], [], [], 0.01)
    assert named("word") == 4
    with (folder / "test_hostile.py").open() as file:
        file.read(10)
    warnings.warn("text", stacklevel=1)
    spawn(pow, 2, 3).result()
    raise ValueError({1: {2}})


def test_nothing_of_the_attacks_stays(before):
    """Threads, descriptors, objects by class, and what modules keep are as many as before all of the attacks above."""
    for inbox in (each for module in MODULES for each in vars(module).values() if isinstance(each, Mailbox)):
        while len(inbox):
            inbox.receive()  # what attacks have sent to mailboxes of these modules, as far as those have room
    more = settled(before).more_than(before)
    assert more == {}, more


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
    """In asyncio, a SystemExit or KeyboardInterrupt of one task ends the loop of all tasks: a process must not cause one."""

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


def test_cancelled_timers_behind_a_live_one_do_not_pile_up():
    """Setting and cancelling timers costs the host nothing that lasts."""
    deadlines = Deadlines()
    live = deadlines.add(900, sys.exit)
    for _ in range(20_000):
        deadlines.add(1_000, sys.exit).cancel()
    assert len(deadlines._heap) < 3_000
    live.cancel()


def test_calls_to_the_dead_leave_nothing_in_the_mailbox():
    """Each is answered at once, without a notice being kept: their number is unbounded."""

    def call(inbox: Mailbox[str], dead, ready):
        host = sys.modules["wit_world"].host
        for tag in range(1, 5_000):
            host(10, f"{dead.number} -1 {tag} r{tag}:s")
        ready.send("ready")
        inbox.receive()

    with Mailbox[str]() as ready:
        gone = Mailbox[str]()
        gone.close()
        with process(call).spawn(gone.address, ready.address) as p:
            assert ready.receive(timeout=30) == "ready"
            assert len(p._life.mail.port._urgent) == 0


def test_answered_calls_that_are_never_received_are_bounded():
    """A process that answers its own calls and takes no answer out is refused further ones."""

    def call(inbox: Mailbox[str]):
        host = sys.modules["wit_world"].host
        own = inbox.address.number
        asked = [host(10, f"{own} 0 {tag} r{tag}:s") for tag in range(1, 901)]
        told = [host(11, "0 0 0 0 0 ").split(" ", 3)[3] for _ in asked]
        said = {host(10, f"{each[2 : each.index(',')]} 0 0 :s") for each in told}
        more = [host(10, f"{own} 0 {tag} r{tag}:s") for tag in range(901, 1_101)]
        return {*asked}, said, more.count(""), {*more}

    assert process(call).spawn().result(timeout=30) == ({""}, {""}, 100, {"", "!calls"})


def test_process_killed_while_it_waits_for_its_turn_makes_no_call():
    """A call that the rate holds back is not made for a process that has ended."""
    made = []

    def note() -> None:
        made.append(1)

    noted = HostFunction(note).limited(rate=0.01)
    with Mailbox[str]() as ready:
        address = ready.address
        p = spawn(lambda: (noted(), address.send("ready"), noted()))
        assert ready.receive(timeout=30) == "ready"
        p.kill()
        assert isinstance(outcome(p)[1], ProcessKilled)
    threads = [thread for thread in threading.enumerate() if thread.name == "capsend host functions"]
    for thread in threads:
        thread.join(10)
    assert made == [1]
