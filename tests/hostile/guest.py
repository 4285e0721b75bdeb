"""Attacks on the way out of a process: the one function of the host, called past everything that is polite."""

import sys

from capsend import OutputLimitExceeded, ProcessFailed, TimeLimitExceeded
from hostile.expect import MIB, attack

QUICK = 0.4


def host():
    """The function of the host as the interpreter inside sees it."""
    return sys.modules["wit_world"].host


@attack("normal", returns=[""] * 8)
def ask_for_unknown_operations():
    return [host()(operation, "x") for operation in (0, 5, 99, 255, 256, 65_536, 2**31, 2**32 - 1)]


@attack("failed", ProcessFailed)
def send_the_beginning_of_another_answer():
    host()(4, "x")


@attack("limit", OutputLimitExceeded)
def send_answers_without_end():
    while True:
        host()(4, "x" * 1_000_000)


@attack("normal", returns=["!malformed"] * 12)
def name_segments_that_are_not_there():
    names = [f"{at}+{size}" for at, size in ((0, 0), (0, -5), (-1, 5), (4_294_967_295, 9), (134_217_000, 4_000))]
    names += ["x", "+", ",", "5+5,", "1+1+1", "9" * 5_000 + "+1", "1+1," * 9_000]
    return [host()(41, name) for name in names]


@attack("normal", returns=["!malformed"] * 8)
def take_segments_to_wherever():
    return [host()(9, places) for places in ("0", "-1", "4294967290", "0,0", "x", "9" * 5_000, ",", "0," * 9_000)]


@attack("limit", OutputLimitExceeded)
def give_the_same_memory_again_and_again():
    while True:
        host()(41, ",".join(["0+1000000"] * 100))


@attack("limit", OutputLimitExceeded)
def give_very_many_small_segments():
    for _ in range(1_000):
        host()(41, ",".join(["0+1"] * 8_000))


@attack("failed", ProcessFailed)
def give_segments_that_nothing_uses():
    host()(41, "0+1000000")
    return 1


@attack("normal or trap")
def ask_for_operations_that_are_no_numbers():
    for operation in (-1, 2**32, 2**64, 1.5, "1", None, [], b"1"):
        try:
            host()(operation, "x")
        except Exception:
            continue


@attack("normal or trap")
def send_payloads_that_are_no_text():
    for payload in (b"x", 1, None, ["x"], {}, object(), type):
        try:
            host()(1, payload)
        except Exception:
            continue


@attack("normal or trap")
def send_surrogates():
    for payload in ("\ud800", "\udfff\ud800", "a\udc80"):
        try:
            host()(1, payload)
        except Exception:
            continue


@attack("normal", returns=None)
def send_every_character():
    for start in range(0, 0xD800, 4096):
        host()(9, "".join(map(chr, range(start, min(start + 4096, 0xD800)))))


@attack("normal or trap or limit or failed")
def send_a_huge_payload():
    host()(9, "x" * 60 * MIB)


@attack("limit or trap", (OutputLimitExceeded, ProcessFailed))
def print_a_huge_payload():
    host()(1, "x" * 60 * MIB)


@attack("normal or trap or limit or failed")
def send_a_huge_wide_payload():
    host()(9, "x" * 20 * MIB + "\U0001f600")


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def flood_with_empty_payloads():
    while True:
        host()(1, "")


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def flood_with_unknown_operations():
    while True:
        host()(77, "x" * 10_000)


@attack("limit", OutputLimitExceeded)
def send_an_endless_answer_ahead():
    while True:
        host()(4, "x" * MIB)


@attack("limit", (OutputLimitExceeded, TimeLimitExceeded), timeout=QUICK)
def send_an_endless_answer_ahead_in_tiny_parts():
    while True:
        host()(4, "x")


@attack("limit", (OutputLimitExceeded, TimeLimitExceeded), timeout=1.0)
def send_an_endless_answer_ahead_in_empty_parts():
    while True:
        host()(4, "")


@attack("limit", OutputLimitExceeded)
def send_a_wide_answer_ahead():
    while True:
        host()(4, "\U0001f600" * 500_000)


@attack("failed", ProcessFailed)
def send_nonsense_ahead_of_the_answer():
    host()(4, "nonsense")
    return 1


@attack("normal", returns=[""] * 10)
def sleep_for_odd_times():
    times = ("nan", "-inf", "-1", "", "abc", "1e-400", "\0", "0x10", "\u0661e-9", "1" * 5 + "e-" + "9" * 3_000)
    return [host()(3, text) for text in times]


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def sleep_for_ever():
    host()(3, "inf")


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def sleep_for_a_time_of_millions_of_digits():
    host()(3, "9" * 5 * MIB)


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def go_on_after_the_host_has_said_stop():
    while True:
        try:
            host()(3, "600")
        except BaseException:
            continue


@attack("trap or normal or failed", timeout=1.0)
def call_imports_by_number():
    import componentize_py_runtime

    for index in range(64):
        for arguments in ([], [1], ["x"], [1, "x"], [None] * 5):
            try:
                componentize_py_runtime.call_import(index, arguments, 1)
            except Exception:
                continue


@attack("trap or normal or failed", timeout=1.0)
def call_an_import_that_does_not_exist():
    import componentize_py_runtime

    componentize_py_runtime.call_import(10**6, [], 0)


@attack("trap or normal or failed", timeout=1.0)
def drop_resources_of_others():
    import componentize_py_runtime

    for number in range(100):
        componentize_py_runtime.drop_resource(number, number)


@attack("normal", returns="a second answer")
def return_twice():
    app = sys.modules["capsend_guest.app"]
    first = app.WitWorld().run('{"entry": 0, "steps": []}', "0:c[[],{}]")
    return "a second answer" if first[:1] == "e" else first


@attack("limit or failed or trap or normal", timeout=1.0)
def run_itself_again_and_again():
    frame = sys._getframe()
    while "program" not in frame.f_locals or not isinstance(frame.f_locals["program"], str):
        frame = frame.f_back
    program, call = frame.f_locals["program"], frame.f_locals["call"]
    return sys.modules["capsend_guest.app"].WitWorld().run(program, call)


@attack("normal", returns=None)
def read_the_inventory():
    sys.modules["capsend_guest.app"].WitWorld().run("", "inventory")


@attack("normal or trap or failed")
def replace_the_way_out():
    sys.modules["wit_world"].host = lambda *_: "stop"
    sys.modules["capsend_guest.host_operations"].request = lambda *_: 1 / 0
    print("nobody hears this")


@attack("normal", returns=1)
def replace_the_entry():
    sys.modules["capsend_guest.app"].WitWorld.run = lambda *_: "forged"
    sys.modules["wit_world"].WitWorld = None
    return 1


@attack("normal", returns=True)
def look_for_other_processes():
    import gc

    texts = [thing for thing in gc.get_objects() if type(thing) is dict and "left by another process" in thing]
    sys.modules["left by another process"] = {"left by another process": 1}
    return not texts
