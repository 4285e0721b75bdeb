"""The tracebacks of the caller's errors: they end where the user's code does, and show no frame of capsend's own."""

import asyncio
import linecache
import threading
import traceback
from concurrent.futures import TimeoutError as FutureTimeout

import pytest

import capsend
from capsend import (
    Environment,
    Executor,
    Mailbox,
    ProcessGroup,
    Session,
    Source,
    Supervisor,
    check,
    process,
    spawn,
    stream,
)
from capsend.exceptions import hide_own_frames
from capsend.supervisor import RestartsExceeded

LOCK = threading.Lock()


class Odd:
    """A value whose own code fails when it is sent."""

    def __getstate__(self):
        raise ValueError("the user's own error")


def lost():
    """Capture what cannot be sent."""
    return LOCK


def fails(number=0):
    """Fail in the process."""
    raise KeyError(number)


def take(value):
    """Take anything."""
    return value


def in_loop(make):
    """Await what a function makes, in a coroutine of this file."""

    async def main():
        return await make()

    return asyncio.run(main())


def in_group(act):
    """Do something with a group of processes."""
    with ProcessGroup() as group:
        act(group)


def in_async_group(act):
    """Do something with a group of processes, in an event loop."""

    async def main():
        async with ProcessGroup() as group:
            act(group)

    asyncio.run(main())


def with_executor(act):
    """Do something with an executor."""
    with Executor(1) as executor:
        return act(executor)


def with_session(act):
    """Do something with a session."""
    with Session() as session:
        return act(session)


def with_supervisor(act, **options):
    """Do something with a supervisor."""
    with Supervisor(**options) as supervisor:
        return act(supervisor)


async def async_supervisor():
    """Leave the block of a supervisor that gives up."""
    async with Supervisor(restarts=0) as supervisor:
        supervisor.spawn(fails)
        await supervisor.wait_async()


# Every way to pass a function, and the error if the function captures a value that cannot be sent.
SPAWNING = {
    "spawn": lambda fn, *a: spawn(fn, *a),
    "Spawnable.spawn": lambda fn, *a: process(take).spawn(*a) if a else process(lambda: fn).spawn(),
    "Environment.spawn": lambda fn, *a: Environment().spawn(fn, *a),
    "Environment.execute": lambda fn, *a: Environment().execute(fn, *a),
    "Environment.execute_async": lambda fn, *a: in_loop(lambda: Environment().execute_async(fn, *a)),
    "Process.spawn_linked": lambda fn, *a: spawn(pow, 2, 3).spawn_linked(fn, *a),
    "ProcessGroup.spawn": lambda fn, *a: in_group(lambda group: group.spawn(fn, *a)),
    "async ProcessGroup.spawn": lambda fn, *a: in_async_group(lambda group: group.spawn(fn, *a)),
    "Executor.submit": lambda fn, *a: with_executor(lambda executor: executor.submit(fn, *a)),
    "Executor.map": lambda fn, *a: with_executor(lambda executor: executor.map(fn, a or (1,))),
    "Executor.map, later": lambda fn, *a: with_executor(
        lambda executor: list(executor.map(fn, (1, *(a or (2,))), buffersize=1))
    ),
    "Supervisor.spawn": lambda fn, *a: with_supervisor(lambda supervisor: supervisor.spawn(fn, *a)),
    "Supervisor.add": lambda fn, *a: with_supervisor(lambda supervisor: supervisor.add(lambda: spawn(fn, *a))),
    "stream": lambda fn, *a: stream(fn, *a),
    "stream.within": lambda fn, *a: stream.within(Environment())(fn, *a),
    "check": lambda fn, *a: check(fn) if not a else spawn(fn, *a),
    "process": lambda fn, *a: process(fn) if not a else spawn(fn, *a),
    "Session": lambda fn, *a: Session(fn=fn) if not a else Session(fn=a[0]),
    "Session[...]": lambda fn, *a: with_session(lambda session: session.__setitem__("fn", a[0] if a else fn)),
    "Session.run": lambda fn, *a: with_session(lambda session: session.run("1", inputs={"fn": a[0] if a else fn})),
    "Session.execute": lambda fn, *a: with_session(
        lambda session: session.execute("1", inputs={"fn": a[0] if a else fn})
    ),
    "Session.run_async": lambda fn, *a: with_session(
        lambda session: in_loop(lambda: session.run_async("1", inputs={"fn": a[0] if a else fn}))
    ),
}

# Every way in which the error of a process reaches the host.
ENDING = {
    "Process.result": lambda: spawn(fails).result(),
    "Process.result, again": lambda: twice(spawn(fails)),
    "await": lambda: in_loop(lambda: spawn(fails)),
    "Outcome.result": lambda: Environment().execute(fails).result(),
    "Executor.map": lambda: with_executor(lambda executor: list(executor.map(fails, [1]))),
    "stream": lambda: list(stream(fails)),
    "Session.run": lambda: with_session(lambda session: session.run("{}[1]")),
    "Session.run_async": lambda: with_session(lambda session: in_loop(lambda: session.run_async("{}[1]"))),
    "Session[...]": lambda: with_session(lambda session: session["nothing"]),
    "del Session[...]": lambda: with_session(lambda session: session.__delitem__("nothing")),
    "ProcessGroup": lambda: in_group(lambda group: group.spawn(fails)),
    "async ProcessGroup": lambda: in_async_group(lambda group: group.spawn(fails)),
    "Supervisor.wait": lambda: with_supervisor(lambda s: (s.spawn(fails), s.wait(timeout=60)), restarts=0),
    "Supervisor.__exit__": lambda: with_supervisor(give_up, restarts=0),
    "Supervisor.wait_async": lambda: asyncio.run(async_supervisor()),
}

# Other mistakes of a caller.
MISTAKES = {
    "no function": lambda: spawn(3),
    "too few arguments": lambda: spawn(pow),
    "too many arguments": lambda: spawn(fails, 1, 2, 3),
    "unknown keyword": lambda: spawn(fails, colour=1),
    "little memory": lambda: Environment(memory=1 << 20).spawn(fails),
    "no syntax": lambda: spawn(Source("1 +", name="plugin.py")),
    "no syntax to check": lambda: Source("1 +", name="plugin.py").check(),
    "no syntax to call": lambda: Source("1 +", name="plugin.py")(),
    "a cell without syntax": lambda: with_session(lambda session: session.run("1 +")),
    "no result yet": lambda: with_mailbox(lambda p: p.result(timeout=0)),
    "a group that was left": lambda: ProcessGroup().spawn(fails),
    "an executor that was shut down": lambda: shut_down().submit(fails),
    "a supervisor that was closed": lambda: closed().spawn(fails),
    "two children with a name": lambda: with_supervisor(lambda s: [s.spawn(take, 1, name="a") for _ in "ab"]),
    "no stream": lambda: stream(3),
    "a senseless buffer": lambda: with_executor(lambda executor: executor.map(fails, [1], buffersize=0)),
    "a function without a frame for it": lambda: Executor(1).submit(3),
    "a cell of an ended session": lambda: ended().run("1"),
    "a child that is no process": lambda: with_supervisor(lambda s: s.add(lambda: 3)),
    "a message that cannot be sent": lambda: with_mailbox(lambda p: p.send(LOCK)),
    "a call that cannot be sent": lambda: with_mailbox(lambda p: p.call(lambda reply: (reply, LOCK))),
    "no message yet": lambda: Mailbox().receive(timeout=0),
    "no children ended": lambda: with_supervisor(lambda s: (s.spawn(serve), s.wait(timeout=0))),
}


def twice(p):
    """Ask for a result a second time: the frames of the first do not stay."""
    with pytest.raises(KeyError):
        p.result()
    p.result()


def give_up(supervisor):
    """Wait until a supervisor has given up, without raising its error."""
    supervisor.spawn(fails)
    with pytest.raises(RestartsExceeded):
        supervisor.wait(timeout=60)


def serve(inbox: Mailbox[str]):
    """Wait for a message."""
    inbox.receive()


def with_mailbox(act):
    """Do something with a process that waits."""
    with spawn(serve) as p:
        act(p)


def shut_down():
    """Return an executor that takes nothing more."""
    executor = Executor(1)
    executor.shutdown()
    return executor


def closed():
    """Return a supervisor that takes nothing more."""
    supervisor = Supervisor()
    supervisor.close()
    return supervisor


def ended():
    """Return a session that has ended."""
    session = Session()
    session.close()
    return session


def check_frames(error):
    """No frame is capsend's, and the last one is this file's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [str(frame) for frame in frames if "/capsend/" in frame.filename or "/capsend_traits/" in frame.filename]
    assert own == []
    assert frames[-1].filename == __file__, traceback.format_exception(error)
    assert linecache.getline(__file__, frames[-1].lineno).strip()
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            assert each.__traceback__ is None


@pytest.mark.parametrize("way", SPAWNING)
@pytest.mark.parametrize("fault", ["a capture", "an argument", "code of the user's"])
def test_a_spawn_that_is_refused_ends_in_the_users_frame(way, fault):
    """Whichever function is called: what it refuses is the caller's, and so is the place."""
    argument = {"a capture": (), "an argument": (LOCK,), "code of the user's": (Odd(),)}[fault]
    with pytest.raises(BaseException) as caught:
        SPAWNING[way](take if argument else lost, *argument)
    error = caught.value
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, TypeError), error
    check_frames(error)


@pytest.mark.parametrize("way", ENDING)
def test_the_error_of_a_process_ends_in_the_frame_that_asks_for_it(way):
    """The place inside is the cause's; the place outside is where the user waits."""
    with pytest.raises((KeyError, ExceptionGroup, RestartsExceeded)) as caught:
        ENDING[way]()
    check_frames(caught.value)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_the_frame_that_makes_it(mistake):
    """Of whatever kind it is."""
    with pytest.raises(
        (TypeError, ValueError, SyntaxError, RuntimeError, FutureTimeout, capsend.CapsendError)
    ) as caught:
        MISTAKES[mistake]()
    check_frames(caught.value)


USERS = {
    "Executor.map": lambda: with_executor(lambda executor: executor.map(take, broken())),
    "Executor.map, later": lambda: with_executor(lambda executor: list(executor.map(take, broken(3), buffersize=1))),
    "Supervisor.add": lambda: with_supervisor(lambda supervisor: supervisor.add(lambda: next(broken()))),
}


def broken(good=0):
    """Yield some items, and fail."""
    yield from range(good)
    raise ZeroDivisionError


@pytest.mark.parametrize("way", USERS)
def test_code_of_the_users_that_fails_shows_its_own_frames_only(way):
    """Those below the call, too, without what lies between."""
    with pytest.raises(ZeroDivisionError) as caught:
        USERS[way]()
    check_frames(caught.value)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "broken"


def test_a_defect_of_capsends_own_keeps_its_frames(monkeypatch):
    """Whoever reports it needs them."""
    monkeypatch.setattr("capsend.shipping.ship.ship", None)
    with pytest.raises(TypeError) as caught:
        spawn(take, 1)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert any("/capsend/" in frame.filename for frame in frames)


def test_an_error_without_frames_is_left_alone():
    """There is nothing to hide."""
    error = ValueError()
    hide_own_frames(error)
    assert error.__traceback__ is None
