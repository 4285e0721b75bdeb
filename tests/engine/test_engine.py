"""The engine: the abilities of a guest, how it ends, and that it ends alone."""

import os
import sys
import threading

import pytest
from endless import asleep, busy

from capsend import engine
from capsend.image import Image
from capsend.shipping.ship import ship

MEMORY = 256 << 20


def shipped(function, *args):
    """Judge and encode a call."""
    return ship(function, args, {}, knows=Image().knows, image=Image())


def run_guest(template, function, *args, memory=MEMORY, host=None):
    """Run a function in a guest and return its result, or raise its error."""
    shipment = shipped(function, *args)
    guest = engine.Guest(template, memory=memory, host=host or (lambda operation, payload: ""))
    try:
        return shipment.receive(guest.run(shipment.program, shipment.call), 1)
    finally:
        guest.close()


class Running:
    """A guest that runs on a separate thread; `wrote` is set once it has written something."""

    def __init__(self, template, function):
        self.shipment = shipped(function)
        self.wrote = threading.Event()
        self.failure = None
        self.guest = engine.Guest(template, memory=MEMORY, host=self.answer)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def answer(self, operation, payload):
        """Answer the host operations."""
        if operation == 3:
            self.guest.sleep(float(payload))
        else:
            self.wrote.set()
        return ""

    def run(self):
        """Run to the end, and close."""
        try:
            self.guest.run(self.shipment.program, self.shipment.call)
        except (engine.Trapped, engine.Interrupted) as failure:
            self.failure = failure
        self.guest.close()

    def stop(self):
        """Interrupt it, and say how it ended."""
        self.guest.interrupt()
        self.thread.join(20)
        return type(self.failure)


def waiting_below_python():
    """Wait where no Python code of ours is."""
    import select

    print("waiting")
    while True:
        select.select([], [], [], 600)


def exploding_regex():
    """Match for ages."""
    import re

    print("matching")
    re.match("(a+)+$", "a" * 60 + "b")


def printing():
    """Write for ever."""
    while True:
        print("again")


@pytest.mark.parametrize("function", [busy, asleep, waiting_below_python, exploding_regex, printing])
def test_interrupt_stops_a_guest_whatever_it_does(template, function):
    """A busy loop, a sleep, a raw wait, a regex and output: all end, soon."""
    running = Running(template, function)
    assert running.wrote.wait(20)
    assert running.stop() is engine.Interrupted


def test_interrupt_reaches_one_guest_only(template):
    """The epoch belongs to the engine, but only the guest that was meant stops."""
    first, second = Running(template, busy), Running(template, printing)
    assert first.wrote.wait(20)
    assert first.stop() is engine.Interrupted
    second.wrote.clear()
    assert second.wrote.wait(20)
    assert second.stop() is engine.Interrupted


class Deaf:
    """An engine whose first advance of the epoch does not reach the guest, as when the guest renews its deadline at that moment."""

    def __init__(self, engine):
        self.engine, self.calls = engine, 0

    def increment_epoch(self):
        self.calls += 1
        if self.calls > 1:
            self.engine.increment_epoch()


def test_interrupt_that_the_guest_does_not_see_is_repeated(template):
    """A lost advance of the epoch would let the guest run for ever."""
    running = Running(template, busy)
    assert running.wrote.wait(20)
    running.guest.engine = deaf = Deaf(running.guest.engine)
    assert running.stop() is engine.Interrupted
    assert deaf.calls > 1


def test_many_interrupts_at_once_disturb_the_others_a_few_times(template):
    """Each advance of the epoch has every running guest look: one for each interrupt would take seconds for two hundred."""
    guests = [engine.Guest(template, memory=MEMORY) for _ in range(50)]
    deaf = Deaf(guests[0].engine)
    for guest in guests:
        guest.engine = deaf
    for guest in guests:
        guest.interrupt()
    assert 1 <= deaf.calls < 25
    for guest in guests:
        guest.close()


def test_guest_interrupted_before_it_runs_never_runs(template):
    """An interrupt that comes early is not lost."""
    shipment, written = shipped(busy), []
    guest = engine.Guest(template, memory=MEMORY, host=lambda operation, payload: written.append(payload) or "")
    guest.interrupt()
    with pytest.raises(engine.Interrupted):
        guest.run(shipment.program, shipment.call)
    guest.close()
    assert written == []


def test_guest_has_no_files_no_variables_no_arguments_and_no_network(template):
    """Nothing is granted."""

    def look():
        import os
        import socket
        import sys

        found = {"environ": dict(os.environ), "argv": sys.argv, "stdin": sys.stdin.read()}
        for name, attempt in {
            "list": lambda: os.listdir("/"),
            "open": lambda: open("/etc/passwd"),
            "write": lambda: open("/tmp/x", "w"),
            "socket": socket.socket,
            "resolve": lambda: socket.getaddrinfo("localhost", 80),
        }.items():
            try:
                attempt()
                found[name] = "granted"
            except (OSError, AttributeError) as error:
                found[name] = type(error).__name__
        return found

    found = run_guest(template, look)
    assert (found.pop("environ"), found.pop("argv"), found.pop("stdin")) == ({}, [""], "")
    assert "granted" not in found.values()


def test_guests_share_nothing(template):
    """Changes made by one guest are invisible to the next."""

    def leave_a_mark():
        import logging

        seen = logging.getLogger("mark").level
        logging.getLogger("mark").setLevel(7)
        return seen

    assert [run_guest(template, leave_a_mark) for _ in range(3)] == [0, 0, 0]


def test_memory_limit_is_a_memory_error_inside_and_the_guest_goes_on(template):
    """Asking for too much fails where it is asked."""

    def ask():
        try:
            bytearray(200 << 20)
        except MemoryError:
            return "refused"

    assert run_guest(template, ask, memory=128 << 20) == "refused"


@pytest.mark.parametrize(
    ("function", "sign"),
    [
        pytest.param(lambda: os.abort(), "aborted", id="abort"),
        pytest.param(lambda: os._exit(3), "ended itself", id="exit"),
    ],
)
def test_fault_names_its_reason(template, function, sign):
    """A trap says in words what happened."""
    with pytest.raises(engine.Trapped, match=sign):
        run_guest(template, function)


def test_fault_carries_what_c_code_had_to_say(template):
    """A fatal error of the interpreter inside is in the details, bounded."""

    def complain():
        write = vars(sys.modules["capsend_guest.streams"])["_write_file"]
        write(2, b"last words" + b"!" * 100_000)  # below what Python says, as C code does
        os.abort()

    with pytest.raises(engine.Trapped) as caught:
        run_guest(template, complain)
    assert caught.value.details.startswith("last words")
    assert len(caught.value.details) < 5_000


def test_exception_of_a_host_function_comes_out_of_run_and_nowhere_else(template):
    """wasmtime-py parks exceptions in a global of all threads; ours take no part in that."""

    class Broken(BaseException):
        pass

    def broken(operation, payload):
        raise Broken

    with pytest.raises(Broken):
        run_guest(template, lambda: print("hello"), host=broken)
    assert run_guest(template, lambda: 1) == 1


def test_sleeping_takes_the_time_and_no_more(template):
    """An uninterrupted sleep goes through the host, in seconds."""
    asked = []

    def host(operation, payload):
        asked.append((operation, float(payload)))
        return ""

    def sleep():
        import asyncio
        import time

        time.sleep(1.5)
        asyncio.run(asyncio.sleep(0))

    run_guest(template, sleep, host=host)
    assert (3, 1.5) in asked


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_child_is_told_that_the_engine_is_gone(run_script):
    """A clear error instead of a hang."""
    done = run_script(
        """
        import os, sys
        from capsend import engine
        engine.engine()
        child = os.fork()
        if child == 0:
            try:
                engine.engine()
            except RuntimeError as error:
                print("fork()" in str(error), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        """
    )
    assert (done.stdout, done.returncode) == ("True\n", 0)


def test_damaged_file_is_refused_with_its_name(tmp_path):
    """A file that is not a compiled image is not loaded."""
    path = tmp_path / "image.cwasm"
    path.write_bytes(b"\0asm nonsense")
    with pytest.raises(ValueError, match=r"image\.cwasm cannot be loaded"):
        engine.Template(path)


def test_text_that_is_no_component_is_refused():
    """Compiling says so."""
    with pytest.raises(ValueError, match="cannot be compiled"):
        engine.compile_component(b"nonsense")
