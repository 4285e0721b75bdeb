"""Attacks on what all processes share: time, memory, and the host's patience with output."""

import sys

from capsend import MemoryLimitExceeded, OutputLimitExceeded, TimeLimitExceeded
from hostile.expect import MIB, attack

QUICK = 0.4


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def loop():
    while True:
        pass


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def loop_in_c():
    return sum(range(10**12))


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def raise_to_a_huge_power():
    return 9**9**9


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def match_an_exploding_regex():
    import re

    return re.match("(a+)+$", "a" * 60 + "b")


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def sleep():
    import time

    time.sleep(1e9)


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def sleep_below_python():
    import importlib
    import sys

    del sys.modules["time"]
    time = importlib.import_module("time")  # the built-in one, before anything was replaced in it
    while True:
        time.sleep(600)


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def sleep_in_select():
    import select

    while True:
        select.select([], [], [], 600)


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def poll_without_end():
    import select
    import selectors

    if hasattr(select, "poll"):
        while True:
            select.poll().poll(600_000)
    while True:
        selectors.SelectSelector().select(600)


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def sleep_a_little_very_often():
    import time

    while True:
        time.sleep(0)


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def run_an_event_loop_for_ever():
    import asyncio

    async def ping():
        while True:
            await asyncio.sleep(0)

    asyncio.run(ping())


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def wait_for_a_future_that_nobody_sets():
    import asyncio

    async def wait():
        await asyncio.get_running_loop().create_future()

    return wait()


@attack("limit or trap or failed", Exception, timeout=QUICK)
def deadlock():
    import threading

    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    raise RuntimeError("there is nobody else who could have released it")


@attack("limit or trap or failed", Exception, timeout=QUICK)
def wait_for_an_event():
    import queue

    queue.Queue().get()


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def catch_everything_and_go_on():
    import time

    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def write_and_catch_everything():
    while True:
        try:
            raise KeyboardInterrupt
        except BaseException:
            continue
        finally:
            try:
                list(iter(int, 1))
            except BaseException:
                pass


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def never_finish_finalizing():
    class Phoenix:
        def __del__(self):
            Phoenix()

    while True:
        Phoenix()


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def collide_hashes():
    modulus = sys.hash_info.modulus
    return len({n * modulus: None for n in range(100_000)})


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def loop_when_the_output_is_flushed():
    import sys

    class Endless:
        def flush(self):
            while True:
                pass

        def write(self, text):
            return len(text)

    sys.stdout = Endless()


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def loop_while_the_result_is_encoded():
    class Endless:
        def __getstate__(self):
            while True:
                pass

    return Endless()


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def loop_while_the_exception_is_described():
    class Endless(Exception):
        def __str__(self):
            while True:
                pass

    raise Endless


# --- memory ---


@attack("limit", MemoryLimitExceeded)
def allocate_at_once():
    return len(bytearray(1 << 30))


@attack("limit", MemoryLimitExceeded)
def allocate_little_by_little():
    kept = None
    while True:
        kept = (kept, bytes(1000))


@attack("limit", MemoryLimitExceeded)
def double_a_list():
    things = [0]
    while True:
        things *= 2


@attack("limit", MemoryLimitExceeded)
def take_all_of_an_endless_iterator():
    import itertools

    return list(itertools.count())


@attack("failed or limit", (RecursionError, MemoryLimitExceeded))
def nest_generators():
    def bomb(n):
        yield from (x for _ in range(10) for x in bomb(n + 1)) if n < 10**9 else ()

    return [list(bomb(0)) for _ in iter(int, 1)]


@attack("limit", MemoryLimitExceeded)
def shift_an_int():
    return (1 << (3 << 30)).bit_length()


@attack("limit", MemoryLimitExceeded)
def unpack_a_bomb():
    import zlib

    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return len(zlib.decompress(block * 1_000 + packer.flush(), wbits=-15))


@attack("limit", MemoryLimitExceeded)
def unpack_a_zip_bomb():
    import io
    import struct
    import zipfile
    import zlib

    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = block * 1_000 + packer.flush()
    # One member, whose checksum is wrong, but is looked at last.
    sizes = struct.pack("<LLL", 0, len(data), 1_000 << 20)
    local = b"PK\3\4" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", 1, 0) + b"b" + data
    central = b"PK\1\2" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0) + sizes
    central += struct.pack("<HHHHHLL", 1, 0, 0, 0, 0, 0, 0) + b"b"
    end = b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(central), len(local), 0)
    return len(zipfile.ZipFile(io.BytesIO(local + central + end)).read("b"))


@attack("limit", MemoryLimitExceeded)
def laugh_a_billion_times():
    from xml.etree import ElementTree

    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    try:
        ElementTree.fromstring(f'<!DOCTYPE x [<!ENTITY l0 "{"lol" * 100}">{entities}]><x>&l9;</x>')
    except ElementTree.ParseError:
        raise MemoryError from None  # its parser knows this one


@attack("limit", MemoryLimitExceeded)
def leave_cycles_to_nobody():
    import gc

    gc.disable()
    while True:
        cycle = [bytes(100)]
        cycle.append(cycle)


@attack("limit", MemoryLimitExceeded)
def fill_a_database():
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t(a)")
    while True:
        connection.execute("INSERT INTO t VALUES (randomblob(1000000))")


@attack("limit", TimeLimitExceeded, timeout=1.0)
def catch_memory_errors_and_go_on():
    kept = []
    while True:
        try:
            kept.append(bytearray(1 << 16))
        except BaseException:
            pass


@attack("normal or limit", returns=lambda value: value in {"alive", None})
def use_all_memory_and_return():
    kept = []
    try:
        while True:
            kept.append(bytearray(1 << 12))
    except MemoryError:
        del kept[:100]
        return "alive"


@attack("limit or failed or trap or normal")
def keep_all_memory_and_return():
    import sys

    kept = sys.modules["kept"] = []
    for size in (1 << 16, 1 << 10, 16):
        try:
            while True:
                kept.append(bytearray(size))
        except MemoryError:
            continue
    return kept[:100]


# --- output ---


@attack("limit", OutputLimitExceeded)
def flood_stdout():
    while True:
        print("x" * 1000)


@attack("limit", OutputLimitExceeded)
def flood_stderr():
    import sys

    while True:
        print("x" * 1000, file=sys.stderr)


@attack("limit", OutputLimitExceeded)
def flood_without_line_ends():
    import sys

    while True:
        sys.stdout.write("x" * 1000)


@attack("limit", OutputLimitExceeded)
def flood_at_once():
    print("x" * 30 * MIB)


@attack("limit", OutputLimitExceeded)
def flood_the_original_streams():
    import sys

    while True:
        sys.__stdout__.write("x\n" * 1000)
        sys.__stderr__.write("y\n" * 1000)


@attack("limit", OutputLimitExceeded, output=20_000)
def flood_one_byte_at_a_time():
    import sys

    while True:
        sys.stdout.buffer.raw.write(b"x")


@attack("limit", OutputLimitExceeded)
def flood_and_catch_everything():
    while True:
        try:
            print("x" * 1000)
        except BaseException:
            pass


@attack("limit", OutputLimitExceeded)
def flood_the_log():
    import logging
    import warnings

    warnings.simplefilter("always")
    while True:
        logging.error("x" * 1000)
        warnings.warn("x" * 1000, stacklevel=1)


@attack("limit", OutputLimitExceeded, output=100_000)
def count_characters_instead_of_bytes():
    while True:
        print("\U0001f600" * 100)


@attack("limit", OutputLimitExceeded)
def flood_by_descriptor():
    import os

    while True:
        os.write(1, b"x" * 100_000)
        os.write(2, b"x" * 100_000)


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def flood_below_python():
    import io

    out, err = (io.FileIO(number, "w", closefd=False) for number in (1, 2))
    while True:
        out.write(b"x" * 100_000)
        err.write(b"x" * 100_000)


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def write_megabytes_below_python():
    import io

    err = io.FileIO(2, "w", closefd=False)
    while True:
        err.write(b"x" * 20_000_000)


@attack("limit or trap", Exception, timeout=QUICK)
def dump_tracebacks_without_end():
    import faulthandler

    while True:
        faulthandler.dump_traceback(2)


@attack("limit", OutputLimitExceeded, output=0)
def write_where_nothing_may_be_written():
    print("x")


@attack("limit", TimeLimitExceeded, cpu=0.2, timeout=None)
def use_up_the_cpu():
    while True:
        pass


@attack("limit", TimeLimitExceeded, cpu=0.2, timeout=None)
def use_up_the_cpu_a_little_at_a_time():
    import time

    while True:
        sum(range(10_000))
        time.sleep(0)
