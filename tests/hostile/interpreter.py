"""Attacks on the interpreter inside, which belongs to the attacker anyway: nothing of it may reach the host."""

from capsend import LimitExceeded, MemoryLimitExceeded, ProcessFailed, TimeLimitExceeded
from hostile.expect import attack

QUICK = 0.4


@attack("trap", ProcessFailed, says="ended itself")
def exit_at_once():
    import os

    os._exit(0)


@attack("trap", ProcessFailed, says="aborted")
def abort():
    import os

    os.abort()


@attack("failed", ProcessFailed, says="SystemExit")
def exit_politely():
    import sys

    sys.exit(3)


@attack("failed", ProcessFailed, says="KeyboardInterrupt")
def interrupt_the_host():
    raise KeyboardInterrupt


@attack("failed", ProcessFailed, says="GeneratorExit")
def close_the_generator_of_the_host():
    raise GeneratorExit


@attack("failed", Exception)
def stop_the_iteration_of_the_host():
    raise StopIteration(1)


@attack("failed", Exception)
def cancel_the_task_of_the_host():
    import asyncio

    raise asyncio.CancelledError


@attack("trap or failed or limit", Exception)
def touch_address_zero():
    import faulthandler

    faulthandler._sigsegv()
    faulthandler._read_null()
    raise RuntimeError("address zero of a WebAssembly memory is memory like any other")


@attack("trap or failed", ProcessFailed)
def abort_in_a_fault_handler():
    import faulthandler

    faulthandler.enable(2)
    faulthandler._sigabrt()


@attack("trap or failed or normal")
def raise_signals():
    import signal

    for number in range(1, signal.NSIG):
        try:
            signal.raise_signal(number)
        except BaseException:
            continue


@attack("trap or failed or normal")
def kill_by_signal():
    import signal

    signal.raise_signal(signal.SIGKILL)


@attack("failed", RecursionError)
def recurse():
    def again():
        return again()

    return again()


@attack("limit or trap", (MemoryLimitExceeded, ProcessFailed))
def recurse_without_a_limit():
    import sys

    sys.setrecursionlimit(2**31 - 1)

    def again(n):
        return again(n + 1) + 1

    return again(0)


@attack("failed or trap or limit", Exception)
def recurse_in_c_without_a_limit():
    import sys

    sys.setrecursionlimit(2**31 - 1)
    deep = []
    for _ in range(1_000_000):
        deep = [deep]
    return repr(deep)


@attack(
    "normal",
    returns=lambda names: (
        set(names) <= {"RecursionError", "MemoryError", "SyntaxError", "ValueError", "error", "returned"}
    ),
)
def recurse_in_every_parser():
    import ast
    import copy
    import json
    import marshal
    import pickle
    import re

    deep = []
    for _ in range(100_000):
        deep = [deep]
    attempts = (
        lambda: repr(deep), lambda: json.loads("[" * 100_000), lambda: json.dumps(deep), lambda: pickle.dumps(deep), lambda: copy.deepcopy(deep),
        lambda: marshal.dumps(deep), lambda: deep == copy.copy(deep), lambda: ast.parse("(" * 10_000), lambda: eval("-" * 100_000 + "1"),
        lambda: re.compile("(" * 10_000 + ")" * 10_000), lambda: hash(deep), lambda: isinstance(1, deep),
        lambda: compile("a." * 50_000 + "a", "", "eval"),
    )  # fmt: skip
    names = []
    for attempt in attempts:
        try:
            attempt()
            names.append("returned")
        except TypeError:
            continue
        except Exception as error:
            names.append(type(error).__name__)
    return names


@attack("trap or failed or limit", Exception)
def delete_all_builtins():
    import sys

    vars(sys.modules["builtins"]).clear()
    return len


@attack("trap or failed or limit", Exception)
def empty_every_module():
    import sys

    for module in list(sys.modules.values()):
        if module is not sys:
            vars(module).clear()
    raise ValueError


@attack("normal or trap or failed or limit")
def forget_every_module():
    import sys

    sys.modules.clear()


@attack("trap or failed or limit or normal", timeout=1.0)
def run_invented_bytecode():
    import random

    def victim(a, b):
        return a + b

    for seed in range(2_000):
        garbage = random.Random(seed).randbytes(64)
        try:
            exec(victim.__code__.replace(co_code=garbage, co_argcount=0, co_nlocals=0, co_varnames=(), co_stacksize=1))
        except Exception:
            continue


@attack("trap or failed or limit or normal", timeout=1.0)
def read_constants_out_of_bounds():
    import opcode

    def victim():
        return 1

    found = []
    for index in range(5, 250):
        code = bytes([opcode.opmap["RESUME"], 0, opcode.opmap["LOAD_CONST"], index, opcode.opmap["RETURN_VALUE"], 0])
        found.append(id(eval(victim.__code__.replace(co_code=code))))


@attack("trap or failed or normal or limit", timeout=1.0)
def corrupt_a_tuple_through_an_iterator():
    import array
    import gc

    values = array.array("B", bytes(64))
    view = memoryview(values)
    for thing in gc.get_objects()[:100_000]:
        if type(thing) is list and thing is not view:
            thing[:] = [thing, values, 1, None] * 3


@attack("normal or failed or trap or limit", timeout=1.0)
def trace_everything():
    import sys

    def tracer(frame, event, argument):
        frame.f_trace_opcodes = True
        frame.f_lineno = 1
        return tracer

    sys.settrace(tracer)
    sys.setprofile(tracer)
    return [n for n in range(3)]


@attack("normal or failed or trap or limit", timeout=1.0)
def rewrite_the_frames_of_the_caller():
    import sys

    frame = sys._getframe()
    while frame is not None:
        for name in list(frame.f_locals):
            frame.f_locals[name] = None
        frame.f_globals.update(dict.fromkeys(("codec", "failure", "json", "Program"), None))
        frame = frame.f_back


@attack("normal or failed or trap or limit", timeout=1.0)
def clear_the_frames_of_the_caller():
    import sys

    frame = sys._getframe()
    while frame is not None:
        try:
            frame.clear()
        except Exception:
            pass
        frame = frame.f_back


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def register_exit_handlers_that_never_end():
    import atexit
    import weakref

    def endless():
        while True:
            pass

    class Kept:
        pass

    atexit.register(endless)
    atexit._run_exitfuncs if False else None
    kept = Kept()
    weakref.finalize(kept, endless)
    __import__("sys").modules["kept"] = kept
    return 1


@attack("limit", LimitExceeded, timeout=0.4)
def finalize_without_end():
    class Endless:
        def __del__(self):
            while True:
                pass

    Endless()


@attack("normal", returns=1)
def leave_finalizers_behind():
    class Endless:
        def __del__(self):
            while True:
                pass

    kept = Endless()
    kept.cycle = kept
    __import__("sys").modules["kept"] = kept
    return 1


@attack("failed", ZeroDivisionError)
def hook_exceptions():
    import sys

    def endless(*_):
        while True:
            pass

    sys.excepthook = sys.unraisablehook = sys.displayhook = endless
    1 / 0


@attack("trap or failed or normal")
def replace_the_output_by_something_hostile():
    import sys

    class Hostile:
        def __getattr__(self, name):
            raise BaseException(name)

    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = Hostile()


@attack("normal or failed or trap or limit", timeout=1.0)
def collect_from_inside_a_callback():
    import gc

    gc.callbacks.append(lambda phase, info: gc.collect())
    gc.set_threshold(1)
    gc.unfreeze()
    return [[] for _ in range(1000)]


@attack("normal or failed or trap or limit", timeout=1.0)
def dump_a_traceback_later():
    import faulthandler

    faulthandler.dump_traceback_later(0.01, repeat=True, exit=True)
    for _ in range(10**7):
        pass


@attack("failed or trap", Exception)
def raise_from_a_metaclass():
    class Meta(type):
        def __getattribute__(cls, name):
            raise SystemExit(name)

        def __instancecheck__(cls, other):
            raise SystemExit

    class Hostile(BaseException, metaclass=Meta):
        pass

    raise Hostile


@attack("failed or trap", Exception)
def unload_what_describes_errors():
    import sys

    for name in list(sys.modules):
        if name.startswith(("capsend_guest", "traceback", "json", "linecache")):
            vars(sys.modules[name]).clear()
    raise ValueError
