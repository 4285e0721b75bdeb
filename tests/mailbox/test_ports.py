"""Ports: bounded queues, their policies, calls, watches and links, without processes."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsend.mailbox.bounds import MOST_CALLS, OVERHEAD
from capsend.mailbox.ports import Envelope, Offer, Port, link, put
from capsend.waiting import Parker


def filled(count, **options):
    """A port with as many messages, numbered from 0."""
    port = Port("p", **options)
    for number in range(count):
        assert port.offer(Envelope(str(number))) is Offer.ACCEPTED
    return port


def texts(port):
    """Everything that can be taken out, in order."""
    return [envelope.text for envelope in iter(port.take, None)]


def test_messages_come_out_in_the_order_in_which_they_went_in():
    """A port is first in, first out."""
    assert texts(filled(3)) == ["0", "1", "2"]


def test_full_port_lets_senders_wait():
    """With the policy block, what does not fit is not taken and not lost."""
    port = filled(2, messages=2)
    assert port.offer(Envelope("2")) is Offer.FULL
    assert (texts(port), port.dropped) == (["0", "1"], 0)


def test_full_port_that_fails_counts_what_it_refused():
    """With the policy fail, the sender is told, and the loss is counted."""
    port = filled(2, messages=2, policy="fail")
    assert port.offer(Envelope("2")) is Offer.REFUSED
    assert (texts(port), port.dropped) == (["0", "1"], 1)


def test_full_port_that_drops_loses_the_oldest():
    """With the policy drop_oldest, the newest message is always taken, and the loss is counted."""
    port = filled(2, messages=2, policy="drop_oldest")
    assert port.offer(Envelope("2")) is Offer.ACCEPTED
    assert (texts(port), port.dropped) == (["1", "2"], 1)


def test_notices_are_not_dropped_for_messages():
    """Dropping the oldest spares what tells of an end."""
    port = Port("p", messages=2, policy="drop_oldest")
    port.notify(Envelope("down", kind="d"))
    for number in range(3):
        port.offer(Envelope(str(number)))
    assert texts(port) == ["down", "2"]


def test_bytes_are_bounded_too():
    """A port is full when its bytes are used up, however few messages they are."""
    port = Port("p", size=3 * OVERHEAD)
    assert port.offer(Envelope("x" * OVERHEAD)) is Offer.ACCEPTED
    assert port.offer(Envelope("x" * OVERHEAD)) is Offer.FULL


def test_message_larger_than_the_port_is_refused_at_once():
    """Nobody waits for room that cannot come."""
    assert Port("p", size=1024).offer(Envelope("x" * 1024)) is Offer.TOO_LARGE


def test_what_was_put_by_takes_room():
    """Messages that the receiver took out and left for later count against the limits."""
    port = filled(0, messages=2)
    port.hold(2, 100)
    assert port.offer(Envelope("0")) is Offer.FULL
    port.hold(0, 0)
    assert port.offer(Envelope("0")) is Offer.ACCEPTED


def test_negative_counts_make_no_room():
    """A process that says it has put by fewer than no messages gains nothing."""
    port = filled(2, messages=2)
    port.hold(-1_000, -1_000_000)
    assert port.offer(Envelope("2")) is Offer.FULL


def waiting_sender(port):
    """Return (thread that waits for room to send "1", list in which it puts the answer)."""
    done = []
    sender = threading.Thread(target=lambda: done.append(put(port, Envelope("1"), parker=Parker(), timeout=20)))
    sender.start()
    while not port._waiters[0]:
        pass
    return sender, done


def test_waiting_sender_gets_the_room_that_a_taken_message_leaves():
    """A sender that waits goes on as soon as there is room."""
    port = filled(1, messages=1)
    sender, done = waiting_sender(port)
    assert port.take().text == "0"
    sender.join(20)
    assert (done, texts(port)) == ([Offer.ACCEPTED], ["1"])


def test_sender_gives_up_when_its_time_is_over():
    """Waiting for room in vain ends, and leaves no trace in the line."""
    port = filled(1, messages=1)
    assert put(port, Envelope("1"), parker=Parker(), timeout=0.01) is Offer.FULL
    assert port._waiters == ([], [])


def test_waiting_senders_are_served_in_their_order():
    """Nobody who comes later takes the room that others wait for."""
    port = filled(1, messages=1)
    first, second = port.enter(lambda: None), port.enter(lambda: None)
    port.take()
    assert port.offer(Envelope("late")) is Offer.FULL
    assert port.offer(Envelope("second"), second) is Offer.FULL
    assert port.offer(Envelope("first"), first) is Offer.ACCEPTED


def test_many_senders_and_one_receiver_lose_and_invent_nothing():
    """Every message of every waiting sender arrives once, and those of one sender in order."""
    port, senders, each = Port("p", messages=3), 8, 50
    threads = [
        threading.Thread(target=lambda s=s: [put(port, Envelope(f"{s} {n}"), parker=Parker()) for n in range(each)])
        for s in range(senders)
    ]
    parker = Parker()
    port.listen(parker.unpark)
    for thread in threads:
        thread.start()
    got = []
    while len(got) < senders * each:
        envelope = port.take()
        if envelope is None:
            parker.park(20)
        else:
            got.append(tuple(map(int, envelope.text.split())))
    for sender in range(senders):
        assert [n for s, n in got if s == sender] == list(range(each))


def test_answer_needs_no_room_among_the_messages():
    """A full mailbox does not keep out the answer that its process waits for."""
    port = filled(1, messages=1)
    assert port.open_call(7)
    assert port.offer(Envelope("answer", tag=7)) is Offer.ACCEPTED
    assert port.take(urgent_only=True).text == "answer"


def test_call_lets_one_answer_in():
    """A second answer, and an answer without a call, is dropped and counted."""
    port = Port("p")
    port.open_call(7)
    answers = [port.offer(Envelope("", tag=tag)) for tag in (7, 7, 8)]
    assert (answers, port.dropped) == ([Offer.ACCEPTED, Offer.CLOSED, Offer.CLOSED], 2)


def test_open_calls_are_bounded():
    """A process cannot let the host remember any number of calls."""
    port = Port("p")
    assert [port.open_call(tag) for tag in range(MOST_CALLS + 1)].count(False) == 1


def test_closed_port_accepts_nothing_and_counts_what_it_lost():
    """Messages in the queue, and later ones, are counted."""
    port = filled(3)
    port.close("closed")
    assert (port.offer(Envelope("")), port.take(), port.dropped) == (Offer.CLOSED, None, 4)


def test_closing_wakes_a_waiting_sender():
    """A sender that waits for room at a receiver that ends does not wait for ever."""
    port = filled(1, messages=1)
    sender, done = waiting_sender(port)
    port.close("killed")
    sender.join(20)
    assert done == [Offer.CLOSED]


@pytest.mark.parametrize("before", [True, False])
def test_watch_tells_once(before):
    """A watch comes once, at the end or at once after it."""
    port, told = Port("p"), []
    if before:
        port.close("killed", "why")
    port.watch(lambda *words: told.append(words))
    port.close("killed", "why")
    port.close("closed")
    assert told == [("killed", "why")]


def test_watch_can_be_taken_back():
    """A withdrawn watch is not called."""
    port, told = Port("p"), []
    token = port.watch(lambda *words: told.append(words))
    assert port.unwatch(token)
    port.close("closed")
    assert told == []


@pytest.mark.parametrize("dead_first", [True, False])
def test_link_tells_the_other(dead_first):
    """The exit of one reaches the other, also when it came before the link; nothing stays behind."""
    one, other, told = Port("one"), Port("other"), []
    other.on_exit = lambda gone, reason, words: told.append((gone.label, reason))
    if dead_first:
        one.close("failed")
    link(one, other)
    one.close("failed")
    assert told == [("one", "failed")]
    assert not other._watches


def test_undone_link_tells_nobody():
    """After unlink an exit concerns one only."""
    one, other, told = Port("one"), Port("other"), []
    other.on_exit = lambda *all: told.append(all)
    link(one, other)()
    one.close("failed")
    assert told == []


@given(
    st.lists(st.one_of(st.just("take"), st.integers(0, 600)), max_size=60),
    st.sampled_from(["block", "fail", "drop_oldest"]),
)
def test_port_never_holds_more_than_it_may(steps, policy):
    """Whatever is offered and taken, messages and bytes stay within the limits, and every message is somewhere."""
    port, accepted, taken = Port("p", messages=4, size=4 * OVERHEAD, policy=policy), 0, 0
    for step in steps:
        if step == "take":
            taken += port.take() is not None
        else:
            accepted += port.offer(Envelope("x" * step)) is Offer.ACCEPTED
        assert len(port._envelopes) <= 4
        assert sum(envelope.size for envelope in port._envelopes) == port._size <= 4 * OVERHEAD
    lost = port.dropped if policy == "drop_oldest" else 0
    assert len(port._envelopes) == accepted - taken - lost or policy != "block"
