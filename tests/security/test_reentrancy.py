"""Code of the program's that runs in the middle of capsend's, and calls it again: signal handlers, finalizers, callbacks, targets of output."""

import functools
import gc
import sys
import threading
import time
import traceback

import pytest

from capsend import (
    Environment,
    Executor,
    Mailbox,
    ProcessGroup,
    ProcessKilled,
    Session,
    Supervisor,
    TimeLimitExceeded,
    host_function,
    processes,
    spawn,
)

PATIENCE = 60
QUIET = Environment(stdout=None, stderr=None, timeout=PATIENCE)


def serve(inbox: Mailbox[int]) -> int:
    """Print messages, until one is negative."""
    for message in inbox:
        print(message)
        if message < 0:
            return message
    return 0


def quick(n: int) -> list[int]:
    """Return a little."""
    return [n]


@pytest.fixture(scope="module")
def world():
    """The objects that are used again during their use."""
    inbox = Mailbox(messages=50, full="drop_oldest")
    with QUIET.spawn(serve) as target, QUIET.spawn(serve) as victim, inbox:
        yield {"inbox": inbox, "target": target, "victim": victim}


# Acts that a signal handler or a finalizer may do at any moment.
ACTS = {
    "send to a mailbox": lambda world: world["inbox"].address.send(1),
    "send to a process": lambda world: world["target"].send(1),
    "kill": lambda world: world["victim"].kill(),
    "look at processes": lambda world: (processes(), world["target"].stats()),
    "set a timer": lambda world: world["inbox"].address.send_after(100, 1).cancel(),
    "close a mailbox": lambda world: Mailbox().close(),
    "monitor": lambda world: world["inbox"].monitor(world["target"]),
    "spawn": lambda world: QUIET.spawn(quick, 1).result(PATIENCE),
    "give up a process": lambda world: QUIET.spawn(serve),
}


def run_one(_world):
    """Spawn, and wait."""
    QUIET.spawn(quick, 1).result(PATIENCE)


def kill_one(_world):
    """Spawn, kill, and wait."""
    p = QUIET.spawn(serve)
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)


def link_two(_world):
    """Link two processes, and end both."""
    with QUIET.spawn(serve) as one, QUIET.spawn(serve) as other:
        one.link(other)
        one.unlink(other)


def mail_one(world):
    """Send a message, and take one."""
    world["inbox"].address.send(3)
    world["inbox"].receive(PATIENCE)
    world["target"].send(3)


def run_executor(_world):
    """Run tasks."""
    with Executor(2, environment=QUIET) as executor:
        assert list(executor.map(quick, [1, 2])) == [[1], [2]]


def run_group(_world):
    """Run a group."""
    with ProcessGroup(QUIET) as group:
        group.spawn(quick, 1)


USES = {run_one: 61, kill_one: 61, link_two: 97, mail_one: 5, run_executor: 97, run_group: 61}
"""{a use: after how many of its steps the act is done again}."""


class Interrupted:
    """Does something at one step of what this thread does: where a function begins or ends, a signal handler or a finalizer may run."""

    def __init__(self, wanted, act):
        self._wanted, self._act = wanted, act
        self.seen = 0

    def __call__(self, _frame, _event, _arg):
        if self.seen == self._wanted:
            sys.setprofile(None)
            self._act()
            sys.setprofile(self)
        self.seen += 1


def ended(act, patience=PATIENCE):
    """Do something on a separate thread, which must end; return its result, or raise its error."""
    result = []

    def run():
        try:
            result.append((act(), None))
        except BaseException as error:
            result.append((None, error))
        finally:
            sys.setprofile(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        pytest.fail("it waits for ever:\n" + "".join(traceback.format_stack(sys._current_frames()[thread.ident])))
    value, error = result[0]
    if error is not None:
        raise error
    return value


@pytest.mark.not_compared("there are thousands of processes")
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_any_use_goes_on_after_another_in_its_middle(use, act, world):
    """On the same thread, at every step: no lock is taken twice, and nothing is left half done."""

    def run(wanted):
        interrupted = Interrupted(wanted, functools.partial(ACTS[act], world))
        sys.setprofile(interrupted)
        use(world)
        sys.setprofile(None)
        return interrupted.seen

    wanted = 0
    while ended(functools.partial(run, wanted)) > wanted:
        wanted += USES[use]
    assert wanted > USES[use]


def test_a_finalizer_in_a_cycle_may_use_everything(world):
    """The garbage collector runs it wherever something is made."""
    done = []

    class Kept:
        def __init__(self):
            self.itself = self
            self.process = QUIET.spawn(serve)

        def __del__(self):
            self.process.send(1)
            self.process.kill()
            world["inbox"].address.send(len(processes()))
            done.append(1)

    def use():
        threshold = gc.get_threshold()
        gc.set_threshold(5)
        try:
            for _ in range(10):
                Kept()
                mail_one(world)
                run_one(world)
        finally:
            gc.set_threshold(*threshold)

    ended(use)
    gc.collect()
    assert len(done) == 10


def test_a_target_of_output_may_kill_its_process_and_not_wait_for_it():
    """A wait on the thread of the process itself could never end."""
    told = []

    def write(_text):
        p = made.pop()
        for wait in (p.result, functools.partial(p.result, 1), functools.partial(p.__exit__, None, None, None)):
            with pytest.raises(RuntimeError, match="cannot be waited for on its own thread"):
                wait()
            told.append(p.done())
        p.kill()
        p.kill()

    made = []
    inbox = Mailbox()
    p = Environment(stdout=write, timeout=PATIENCE).spawn(late, inbox.address)
    made.append(p)
    inbox.receive(PATIENCE).send(1)
    with pytest.raises(ProcessKilled):
        ended(p.result)
    assert told == [False] * 3


def late(inbox: Mailbox[int], out) -> None:
    """Print when told to."""
    out.send(inbox.address)
    inbox.receive()
    print("printed")
    time.sleep(PATIENCE)


def test_a_target_of_output_of_a_session_may_interrupt_it_and_not_run_a_cell():
    """As for processes."""
    told = []

    def write(_text):
        with pytest.raises(RuntimeError, match="own thread"):
            session.run("1")
        told.append(session.interrupt())

    with Session(Environment(stdout=write, timeout=PATIENCE)) as session:
        with pytest.raises(KeyboardInterrupt):
            ended(lambda: session.run("print('x', flush=True)\nimport time\ntime.sleep(60)"))
        assert ended(lambda: session.run("2")) == 2
    assert all(told)


def test_a_function_of_the_host_may_use_the_process_that_calls_it():
    """The function sends to the process, inspects it, and kills it; waiting for it would last until its timeout."""
    made, seen = [], []

    @host_function
    def act(what: str) -> str:
        p = made[0]
        if what == "send":
            p.send("more")
        elif what == "kill":
            p.kill()
            p.kill()
        elif what == "spawn":
            return str(QUIET.spawn(quick, 1).result(PATIENCE))
        else:
            seen.append(what)
            p.result()
        return str(p.stats().received)

    def calls(inbox: Mailbox[str]) -> None:
        print(act(inbox.receive()))
        time.sleep(PATIENCE)

    for what, error in (
        ("send", ProcessKilled),
        ("kill", ProcessKilled),
        ("spawn", ProcessKilled),
        ("result", TimeLimitExceeded),
    ):
        p = Environment(stdout=None, stderr=None, timeout=2 if what == "result" else PATIENCE).spawn(calls)
        made[:] = [p]
        p.send(what)
        if what in {"send", "spawn"}:
            while p.stats().output_bytes == 0:
                time.sleep(0.01)
            p.kill()
        with pytest.raises(error):
            ended(p.result)
    assert seen == ["result"]


def test_callbacks_of_a_future_may_use_its_executor_and_its_process():
    """Submit more, kill what has ended, shut down."""
    seen = []
    with Executor(2, environment=QUIET) as executor:

        def again(future):
            future.kill()
            seen.append(future.result())
            if len(seen) < 5:
                executor.submit(quick, len(seen)).add_done_callback(again)
            else:
                executor.shutdown(wait=True)

        executor.submit(quick, 0).add_done_callback(again)
        until = time.monotonic() + PATIENCE
        while len(seen) < 5 and time.monotonic() < until:
            time.sleep(0.01)
    assert seen == [[n] for n in range(5)]


def test_functions_of_a_supervisor_may_use_the_supervisor():
    """Start functions add and remove children, and the function called at giving up closes the supervisor."""
    given_up = []

    def start():
        supervisor.remove("other")
        if "more" not in supervisor.children:
            supervisor.spawn(serve, name="more", restart="temporary")
        assert supervisor.process("nobody") is None
        return QUIET.spawn(fail)

    def closes(error):
        supervisor.close()
        given_up.append(error)

    supervisor = Supervisor(restarts=2, environment=QUIET, on_give_up=closes)
    supervisor.spawn(serve, name="other")
    ended(lambda: supervisor.add(start))
    with pytest.raises(Exception, match="has given up"):
        ended(lambda: supervisor.wait(PATIENCE))
    until = time.monotonic() + PATIENCE
    while not given_up and time.monotonic() < until:
        time.sleep(0.01)
    assert len(given_up) == 1
    ended(supervisor.close)


def fail() -> None:
    """Fail."""
    raise ValueError


def test_a_process_that_is_killed_again_and_again_ends_once():
    """From many threads, from callbacks, during its decoding."""
    ends = []
    for _ in range(20):
        p = QUIET.spawn(quick, 1)
        p._life.add_callback(p.kill)
        p._life.add_callback(lambda: ends.append(1))
        threads = [threading.Thread(target=p.kill) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        p._life.finished.wait(PATIENCE)
        p.kill()
        assert p.exit_reason in {"killed", "normal"}
        assert spawn(pow, 2, 3).result(PATIENCE) == 8
    assert len(ends) == 20
