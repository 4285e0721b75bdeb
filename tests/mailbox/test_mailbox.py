"""Messages between the host and real processes: mailboxes, addresses, calls, and what they promise."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import attrs
import pytest

from capsend import (
    Address,
    CaptureError,
    Dir,
    Environment,
    LimitExceeded,
    Mailbox,
    ProcessFailed,
    ProcessKilled,
    SerializationError,
    not_process_send,
    process,
    spawn,
    unsafe_process_send,
)
from capsend.exceptions import CapsendError
from capsend.mailbox import Down

PATIENCE = 10.0


@attrs.frozen
class Add:
    n: int


@attrs.frozen
class Get:
    reply: Address[int]


@attrs.frozen
class Stop:
    pass


@attrs.frozen
class Stranger:
    """A class that no process here knows."""


@process
def counter(inbox: Mailbox[Add | Get | Stop], start: int) -> int:
    total = start
    for message in inbox:
        match message:
            case Add(n):
                total += n
            case Get(reply):
                reply.send(total)
            case Stop():
                return total
    return total


def eventually(condition):
    """Wait until something is so that no message tells of."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_process_sends_to_a_mailbox_of_the_host():
    """A captured address is a way back to the host."""
    with Mailbox[int]() as inbox:
        answers = inbox.address
        assert spawn(lambda: answers.send(42)).result(PATIENCE) is True
        assert inbox.receive(timeout=PATIENCE) == 42


def test_address_travels_as_an_argument():
    """An address may be an argument, also inside a container."""
    with Mailbox[str]() as inbox:
        spawn(lambda ways: ways["back"].send("here"), {"back": inbox.address}).result(PATIENCE)
        assert inbox.receive(timeout=PATIENCE) == "here"


def test_address_comes_back_as_itself():
    """What a process returns of what it was given is equal to it."""
    with Mailbox[str]() as inbox:
        address = inbox.address
        assert spawn(lambda: [address]).result(PATIENCE) == [address]


def test_process_receives_what_the_host_sends():
    """A process function whose first parameter is a mailbox takes messages."""
    p = counter.spawn(1)
    assert p.send(Add(2))
    assert p.send(Stop())
    assert p.result(PATIENCE) == 3


def test_plain_spawn_gives_a_mailbox_too():
    """`spawn(f)`, `Environment().spawn(f)` and `f.spawn()` are the same."""
    p: Any = spawn(counter, 1)  # type: ignore[call-arg, arg-type]  # what the mailbox is, the type checker does not know
    p.send(Stop())
    assert p.result(PATIENCE) == 1


def test_mailbox_in_a_quoted_annotation_is_one():
    """Annotations may be strings, and classes in them local to the module."""

    def take(inbox: Mailbox[Add]) -> int:
        return inbox.receive().n

    p = process(take).spawn()
    p.send(Add(5))
    assert p.result(PATIENCE) == 5


def test_call_returns_the_answer():
    """A call is a message with an address for the answer."""
    with counter.spawn(40) as p:
        p.send(Add(2))
        assert p.call(Get, timeout=PATIENCE) == 42


def test_messages_from_one_sender_arrive_in_order():
    """First in, first out, from the host and from a process."""

    def send(address, count):
        for number in range(count):
            address.send(number)

    with Mailbox[int](messages=10) as inbox:
        p = spawn(send, inbox.address, 200)
        assert [inbox.receive(timeout=PATIENCE) for _ in range(200)] == list(range(200))
        p.result(PATIENCE)


def test_process_calls_a_process():
    """Processes talk to each other without the host taking part."""

    def ask(address):
        return [address.call(Get, timeout=20) for _ in range(3)]

    with counter.spawn(7) as p:
        assert spawn(ask, p.address).result(PATIENCE) == [7, 7, 7]


def test_process_calls_the_host():
    """A thread of the host can serve a process."""

    def ask(address):
        return address.call(Get, timeout=20)

    with Mailbox[Get]() as inbox:
        p = spawn(ask, inbox.address)
        inbox.receive(timeout=PATIENCE).reply.send(3)
        assert p.result(PATIENCE) == 3


def test_address_inside_a_message_is_usable():
    """An address that arrives in a message works like one that was captured."""

    def relay(inbox: Mailbox[Any]):
        inbox.receive().send("from the process")

    with Mailbox[str]() as inbox:
        p = process(relay).spawn()
        p.send(inbox.address)
        assert inbox.receive(timeout=PATIENCE) == "from the process"


def test_frames_are_forwarded_with_their_addresses():
    """Handles are renumbered on each leg of the way."""

    def forward(inbox: Mailbox[Any], to):
        to.send([inbox.receive(), "forwarded"])

    def answer(inbox: Mailbox[Any]):
        message = inbox.receive()
        message[0].send(message[1])

    with Mailbox[str]() as inbox:
        last = process(answer).spawn()
        middle = process(forward).spawn(last.address)
        middle.send(inbox.address)
        assert inbox.receive(timeout=PATIENCE) == "forwarded"
        last.result(PATIENCE)


def test_selective_receive_leaves_the_others_in_order():
    """What does not match stays, here and inside."""

    def choose(inbox: Mailbox[Any]):
        return [inbox.receive(kind=str), inbox.receive(kind=lambda m: m > 1), *(inbox.receive() for _ in range(2))]

    p = process(choose).spawn()
    with Mailbox[Any]() as inbox:
        for message in (1, 2, "a", 3):
            p.send(message)
            inbox.address.send(message)
        here = [inbox.receive(kind=str), inbox.receive(kind=lambda m: m > 1), inbox.receive(), inbox.receive()]
    assert here == p.result(PATIENCE) == ["a", 2, 1, 3]


def test_receive_gives_up_in_time():
    """A timeout is a TimeoutError, here and inside."""

    def wait(inbox: Mailbox[int]):
        try:
            inbox.receive(timeout=0.01)
        except TimeoutError:
            return "in time"

    assert process(wait).spawn().result(PATIENCE) == "in time"
    with Mailbox[int]() as inbox, pytest.raises(TimeoutError):
        inbox.receive(timeout=0.01)


def test_timers_inside_go_on_while_messages_come():
    """A message does not cut a sleep short."""

    def doze(inbox: Mailbox[int]):
        before = time.monotonic()
        time.sleep(0.3)
        return time.monotonic() - before

    p = process(doze).spawn()
    for _ in range(20):
        p.send(1)
        time.sleep(0.005)
    assert p.result(PATIENCE) >= 0.29


def test_async_body_waits_for_messages_and_timers_at_once():
    """Tasks of one event loop receive, sleep and call side by side."""

    async def body(inbox: Mailbox[Any], address):
        async def ticks():
            for _ in range(3):
                await asyncio.sleep(0.01)
            return "ticked"

        answer, ticked, message = await asyncio.gather(address.call_async(Get), ticks(), inbox.receive_async(kind=str))
        return answer, ticked, message

    with counter.spawn(5) as p:
        q = process(body).spawn(p.address)
        q.send(1)
        q.send("one")
        assert q.result(PATIENCE) == (5, "ticked", "one")


def test_cancelled_receive_inside_loses_no_message():
    """A task that gives up leaves the message to the next one."""

    async def body(inbox: Mailbox[int], back):
        try:
            await asyncio.wait_for(inbox.receive_async(), 0.05)
        except TimeoutError:
            back.send("gave up")
        return [await inbox.receive_async() for _ in range(2)]

    with Mailbox[str]() as answers:
        p = process(body).spawn(answers.address)
        answers.receive(timeout=PATIENCE)
        p.send(1)
        p.send(2)
        assert p.result(PATIENCE) == [1, 2]


def test_async_forms_in_the_host():
    """A task of the host sends, calls and receives without a thread per wait."""

    async def main():
        async with Mailbox[int]() as inbox:
            before = threading.active_count()
            with counter.spawn(1) as p:
                assert await p.send_async(Add(1))
                answers = await asyncio.gather(*(p.call_async(Get) for _ in range(50)))
                assert answers == [2] * 50
                waits = [asyncio.create_task(inbox.receive_async()) for _ in range(20)]
                await asyncio.sleep(0)
                assert threading.active_count() <= before + 2
                for number in range(20):
                    await inbox.address.send_async(number)
                assert sorted(await asyncio.gather(*waits)) == list(range(20))

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_cancelled_receive_in_the_host_loses_no_message():
    """A cancelled task takes no message with it."""

    async def main():
        with Mailbox[int]() as inbox:
            task = asyncio.create_task(inbox.receive_async())
            await asyncio.sleep(0)
            inbox.address.send(1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert inbox.receive(timeout=PATIENCE) == 1

    asyncio.run(main())


def test_async_sender_waits_for_room_without_blocking_the_loop():
    """A full mailbox holds up the task that sends, and nothing else."""

    async def main():
        with Mailbox[int](messages=1) as inbox:
            await inbox.address.send_async(1)
            task = asyncio.create_task(inbox.address.send_async(2))
            await asyncio.sleep(0.01)
            assert not task.done()
            assert await inbox.receive_async() == 1
            assert await task
            assert await inbox.receive_async() == 2

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_iterating_ends_when_the_mailbox_is_closed():
    """A closed mailbox is the end of its messages, for threads too that wait already."""
    inbox = Mailbox[int]()
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(inbox))
    thread.start()
    inbox.address.send(1)
    eventually(lambda: got)
    inbox.close()
    thread.join(PATIENCE)
    assert got == [1]
    assert not thread.is_alive()


def test_send_after_comes_later_unless_cancelled():
    """A delayed message can be taken back until it is sent."""

    def later(address):
        first, second = address.send_after(0.02, "kept"), address.send_after(0.01, "cancelled")
        return second.cancel(), second.cancel(), address.call and first is not None

    with Mailbox[str]() as inbox:
        p = spawn(
            lambda a: (a.send_after(60.0, "x").cancel(), a.send_after(0.0, "inside") and time.sleep(1)), inbox.address
        )
        timer = inbox.address.send_after(60, "cancelled")
        inbox.address.send_after(0.01, "host")
        assert timer.cancel()
        assert not timer.cancel()
        assert {inbox.receive(timeout=PATIENCE), inbox.receive(timeout=PATIENCE)} == {"host", "inside"}
        assert p.result(PATIENCE)[0] is True


def test_message_is_a_copy():
    """What the receiver changes does not change at the sender, also between host and host."""
    with Mailbox[list[int]]() as inbox:
        sent = [1]
        inbox.address.send(sent)
        received = inbox.receive()
        assert received == [1]
        assert received is not sent


def test_message_that_cannot_be_sent_is_refused_where_it_is_sent():
    """A lock is no message, whoever sends it."""
    with Mailbox[Any]() as inbox:
        with pytest.raises(SerializationError):
            inbox.address.send(threading.Lock())
        with pytest.raises(SerializationError):
            spawn(lambda a: a.send(iter([])), inbox.address).result(PATIENCE)


def test_class_that_the_process_does_not_know_is_refused_at_the_sender():
    """The host knows what went with the program, and says so."""
    with counter.spawn(0) as p, pytest.raises(SerializationError, match="Stranger"):
        p.send(Stranger())


def test_class_that_the_receiving_process_does_not_know_is_dropped_and_counted():
    """Between processes only the receiver can tell: it drops, counts, and stays alive."""

    def send(address):
        address.send(Stranger())
        address.send("known")

    def take(inbox: Mailbox[str]):
        return inbox.receive(), inbox.receive(timeout=0.01, kind=int) if False else None

    p = process(take).spawn()
    spawn(send, p.address).result(PATIENCE)
    assert p.result(PATIENCE) == ("known", None)


def test_flood_holds_up_the_sender_and_nothing_else():
    """A receiver that never receives costs the host no more than its mailbox."""

    def never(inbox: Mailbox[int]):
        time.sleep(600)

    def flood(address):
        while True:
            address.send("x" * 1000)

    with Environment(mailbox=10).spawn(never) as p, spawn(flood, p.address) as sender:
        eventually(lambda: p.stats().waiting == 10)
        time.sleep(0.05)
        assert (p.stats().waiting, sender.done()) == (10, False)
        sender.kill()
        with pytest.raises(ProcessKilled):
            sender.result(PATIENCE)


@pytest.mark.parametrize(("policy", "error"), [("fail", LimitExceeded), ("drop_oldest", None)])
def test_policies_of_a_full_mailbox(policy, error):
    """Fail tells the sender; drop_oldest keeps the newest; both count."""

    def flood(address):
        for number in range(5):
            address.send(number)

    with Mailbox[int](messages=2, full=policy) as inbox:
        p = spawn(flood, inbox.address)
        if error:
            with pytest.raises(error):
                p.result(PATIENCE)
            assert [inbox.receive(), inbox.receive(), inbox.dropped] == [0, 1, 1]
        else:
            p.result(PATIENCE)
            assert [inbox.receive(), inbox.receive(), inbox.dropped] == [3, 4, 3]


def test_large_message_is_refused_at_the_sender():
    """No single message can be larger than the mailbox."""
    with Mailbox[str](size=10_000) as inbox:
        with pytest.raises(LimitExceeded):
            inbox.address.send("x" * 20_000)
        with pytest.raises(LimitExceeded):
            spawn(lambda a: a.send("x" * 20_000), inbox.address).result(PATIENCE)


def test_send_to_one_that_has_ended_says_no_and_is_counted():
    """An address of a dead process is no error, and no secret."""
    p = counter.spawn(0)
    p.send(Stop())
    p.result(PATIENCE)
    assert p.send(Stop()) is False
    assert spawn(lambda a: a.send(1), p.address).result(PATIENCE) is False
    assert p.stats().dropped == 2


def test_messages_left_at_the_end_are_counted():
    """What a process did not take before it ended is lost, and counted."""

    def leave(inbox: Mailbox[int]):
        return inbox.receive(kind=lambda m: m == 2)

    p = process(leave).spawn()
    for number in (0, 1, 2):
        p.send(number)
    assert p.result(PATIENCE) == 2
    assert p.stats().dropped == 2


@pytest.mark.parametrize("how", ["kill", "return", "raise", "trap"])
def test_call_to_one_that_ends_fails_at_once(how):
    """A caller never waits for a dead peer: from the host, from inside, sync and async."""

    def die(inbox: Mailbox[Get | str], how):
        inbox.receive(kind=str)
        if how == "raise":
            raise ValueError("no")
        if how == "trap":
            __import__("os")._exit(1)
        if how == "kill":
            time.sleep(600)

    def ask(address):
        return address.call(Get)

    async def ask_async(address):
        return await address.call_async(Get)

    p = process(die).spawn(how)
    callers = [spawn(ask, p.address), spawn(ask_async, p.address)]
    errors: list[BaseException] = []

    def ask_here():
        try:
            p.call(Get)
        except CapsendError as error:
            errors.append(error)

    thread = threading.Thread(target=ask_here)
    thread.start()
    eventually(lambda: p.stats().waiting == 3)
    p.send("end")
    if how == "kill":
        p.kill()
    thread.join(PATIENCE)
    expected = ProcessKilled if how == "kill" else ProcessFailed
    assert type(errors[0]) is expected
    for caller in callers:
        with pytest.raises(expected, match="before it answered"):
            caller.result(PATIENCE)


def test_call_to_one_that_had_ended_fails_at_once():
    """The same for an address of a process that is dead already."""
    p = counter.spawn(0)
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)
    with pytest.raises(ProcessKilled):
        p.call(Get)
    with pytest.raises(ProcessFailed, match="had ended"):
        spawn(lambda a: a.call(Get), p.address).result(PATIENCE)


def test_answer_after_the_timeout_is_dropped():
    """A late answer reaches nobody, and its sender is told."""
    with Mailbox[Get]() as inbox:
        with pytest.raises(TimeoutError):
            inbox.address.call(Get, timeout=0.01)
        assert inbox.receive().reply.send(1) is False

        def ask(address):
            try:
                address.call(Get, timeout=0.01)
            except TimeoutError:
                time.sleep(600)

        with spawn(ask, inbox.address) as p:
            reply = inbox.receive(timeout=PATIENCE).reply
            eventually(lambda: not reply.send(1))
            assert p.stats().waiting == 0


def test_cancelled_call_in_the_host_is_forgotten():
    """A task that is cancelled while it waits for an answer leaves nothing behind."""

    async def main():
        with Mailbox[Get]() as inbox:
            task = asyncio.create_task(inbox.address.call_async(Get))
            message = await inbox.receive_async()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert message.reply.send(1) is False
            assert not inbox._port._watches

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_weak_addresses_allow_what_they_say():
    """An address can be given on for sending only, or for monitoring only."""

    def attempt(send_only, monitor_only, inbox):
        answers = [send_only.send(1)]
        try:
            monitor_only.send(1)
        except Exception as error:
            answers.append(type(error).__name__)
        return answers

    with Mailbox[int]() as inbox, Mailbox[Down]() as watcher:
        weak = inbox.address.send_only(), inbox.address.monitor_only()
        assert spawn(attempt, *weak, None).result(PATIENCE) == [True, "CapsendError"]
        with pytest.raises(CapsendError):
            weak[1].send(1)
        with pytest.raises(CapsendError):
            watcher.monitor(weak[0])
        watcher.monitor(weak[1])


def test_process_without_a_mailbox_takes_no_messages():
    """Its address is for monitoring and linking."""
    with spawn(time.sleep, 600) as p, pytest.raises(CapsendError, match="monitoring only"):
        p.address.send(1)


def test_mailbox_itself_stays_in_the_host():
    """A mailbox is not sendable, its address is."""
    inbox = Mailbox[int]()
    with pytest.raises(CaptureError, match="Mailbox"):
        spawn(lambda: inbox.receive())


def test_mailbox_that_nobody_holds_is_closed():
    """Whoever waits to send to it is told."""
    inbox = Mailbox[int](messages=1)
    address = inbox.address
    address.send(1)
    del inbox
    assert not address.alive
    assert address.send(2) is False


def test_log_records_reach_the_host(caplog):
    """A process that has not set up logging logs to the host's, with its number."""

    def work():
        import logging

        logging.getLogger("shop.orders").warning("order %d is late", 7)

    with caplog.at_level("WARNING", "capsend.process"):
        p = spawn(work)
        p.result(PATIENCE)
    record = caplog.records[-1]
    assert (record.levelname, record.process_id, record.process_logger) == ("WARNING", p.id, "shop.orders")
    assert "order 7 is late" in record.getMessage()


def test_refused_message_says_where_the_part_stands():
    """The words name the path to what cannot be sent, why, and what to do instead."""
    with Mailbox[Any]() as inbox:
        for value, words in (
            ({"a": [1, threading.Lock()]}, r"message\['a'\]\[1\] cannot be sent: lock .* Instead: create it inside"),
            ((inbox,), r"message\[0\] cannot be sent: a mailbox belongs to .* Instead: send its address"),
            ([Dir("/")], r"message\[0\] cannot be sent: which folders a process may use is settled"),
        ):
            with pytest.raises(SerializationError, match=words):
                inbox.address.send(value)


def test_time_of_a_delayed_message_is_a_number():
    """What is no time is refused when it is given, and keeps no other message from being sent."""
    with Mailbox[Any]() as inbox:
        for wrong in ("x", float("nan")):
            with pytest.raises(TypeError, match="send_after takes seconds"):
                inbox.address.send_after(wrong, 1)


def test_message_stays_when_the_function_that_looks_at_it_raises():
    """Nothing is lost silently: what a `kind` that raises was looking at can be received."""
    with Mailbox[int]() as inbox:
        inbox.address.send(1)
        inbox.address.send(2)
        with pytest.raises(ZeroDivisionError):
            inbox.receive(PATIENCE, kind=lambda number: number // 0)
        assert [inbox.receive(PATIENCE), inbox.receive(PATIENCE)] == [1, 2]


def _refusals(inbox: Any) -> list[str]:
    """Run in the host and inside."""
    told = []
    for wrong in (("kind", ("a", int)), ("kind", list[int]), ("kind", "a"), ("timeout", str)):
        try:
            inbox.receive(**dict([wrong]))
        except TypeError as error:
            told.append(str(error).partition(", not")[0])
    return told


def test_wrong_choice_of_messages_is_told():
    """A pattern that is no class, no classes and no function is refused before anything is taken, here and inside."""
    kinds = "kind must be a class, several classes or a function"
    expected = [kinds, kinds, kinds, "timeout must be a number of seconds, or None to wait for ever"]

    def inside(inbox: Mailbox[int]) -> list[str]:
        return _refusals(inbox)

    with Mailbox[int]() as inbox:
        assert _refusals(inbox) == expected
    assert spawn(inside).result(PATIENCE) == expected


async def _late(inbox: Any, never: Any) -> list[str]:
    """Run in the host and inside."""
    told = []
    for waiting in (
        inbox.receive_async(timeout=0.01),
        never.call_async(lambda reply: reply, timeout=0.01),
        never.send_async(1, timeout=0.01),
    ):
        try:
            await waiting
        except TimeoutError as error:
            told.append(str(error).partition(" within")[0].partition(" has ")[2] or str(error))
    return told


def test_forms_for_event_loops_take_the_timeouts_of_the_others():
    """The time limit and its words are those of `receive`, `call` and `send`, here and inside."""

    def never(inbox: Mailbox[object]) -> None:
        time.sleep(600)

    async def inside(inbox: Mailbox[int], never: Address[object]) -> list[str]:
        return await _late(inbox, never)

    for where in ("here", "inside"):
        with Environment(mailbox=1).spawn(never) as p, Mailbox[int]() as inbox:
            told = (
                asyncio.run(_late(inbox, p.address)) if where == "here" else spawn(inside, p.address).result(PATIENCE)
            )
            assert told[:2] == ["no message within 0.01 s", "not answered"]
            assert "was full, and had no room within 0.01 s" in told[2]


@pytest.mark.parametrize("by_level", [False, True])
def test_functions_of_logging_reach_the_host(caplog, by_level):
    """`logging.warning` and a `basicConfig` that says nothing of handlers set up none: the host's logging has it."""

    def inside() -> None:
        import logging

        if by_level:
            logging.basicConfig(level=logging.INFO)
        logging.warning("told")  # noqa: LOG015 - what it is about

    with caplog.at_level("WARNING", "capsend.process"):
        p = spawn(inside)
        p.result(PATIENCE)
    assert [(record.process_id, record.process_logger) for record in caplog.records] == [(p.id, "root")]


def test_level_of_the_host_applies_inside(caplog):
    """What the host would not show is not sent, and what it wants is."""

    def work():
        import logging

        logging.getLogger("shop").info("told")

    spawn(work).result(PATIENCE)
    assert not [r for r in caplog.records if "told" in r.getMessage()]
    with caplog.at_level("INFO", "capsend.process"):
        spawn(work).result(PATIENCE)
    assert [r for r in caplog.records if "told" in r.getMessage()]


@not_process_send("it is worth something only in the program that drew it")
@attrs.frozen
class Token:
    text: str


class Derived(Token):
    """The impl is inherited."""


@unsafe_process_send("its lock guards nothing that travels")
class Promised:
    def __init__(self, n: int) -> None:
        self.n = n
        self.lock = threading.Lock()

    def __getstate__(self) -> int:
        return self.n

    def __setstate__(self, n: int) -> None:
        self.__init__(n)


@process
def taker(inbox: Mailbox[Promised | list[Promised]]) -> int:
    return inbox.receive().n


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Token("x"), "Token is declared not sendable: it is worth something"),
        (Derived("x"), "Token is declared not sendable: it is worth something"),
        ([{"deep": Token("x")}], "Token is declared not sendable: it is worth something"),
        (asyncio.Lock(), "Lock is declared not sendable: a copied lock protects nothing"),
    ],
    ids=["negative impl", "inherited", "inside", "declaration"],
)
def test_message_is_refused_for_what_an_argument_is_refused_for(value, reason):
    """Negative impls and declarations hold for messages, to a process and within the host, although the codec could write them."""
    with Mailbox[Any]() as inbox, taker.spawn() as p:
        with pytest.raises(SerializationError, match=reason):
            inbox.address.send(value)
        with pytest.raises(SerializationError, match=reason):
            spawn(lambda value: None, value)
        with pytest.raises(SerializationError, match=reason):
            p.send(value)
        assert (len(inbox), p.stats().waiting, p.done()) == (0, 0, False)


@pytest.mark.parametrize("what", ["negative impl", "declaration"])
def test_declarations_hold_for_what_a_process_sends_and_returns(what):
    """The codec could write both; inside the same rules apply, and the error says where it stands."""

    def made(what):
        return {"deep": [asyncio.Lock() if what == "declaration" else Token("x")]}

    def send(to, what):
        to.send(made(what))

    with Mailbox[Any]() as inbox:
        with pytest.raises(
            SerializationError, match=r"message\['deep'\]\[0\] cannot be sent: .* is declared not sendable"
        ):
            spawn(send, inbox.address, what).result(PATIENCE)
        with pytest.raises(SerializationError, match=r"result\['deep'\]\[0\] is .* not Serializable"):
            spawn(made, what).result(PATIENCE)
        assert len(inbox) == 0


def test_unsafe_impl_holds_for_messages():
    """What is promised to be sendable goes as its own state."""
    with Mailbox[Any]() as inbox, taker.spawn() as p:
        inbox.address.send(Promised(3))
        assert inbox.receive(timeout=PATIENCE).n == 3
        p.send(Promised(4))
        assert p.result(PATIENCE) == 4
