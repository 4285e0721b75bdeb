"""Attacks on the host's handling of answers, messages and records: values too deep to free, keys that probe for ever, work, and leftovers."""

import json
import sys

from crowding import hostile_keys

from capsend import ProcessFailed, SerializationError
from hostile.answers import answer, message
from hostile.expect import attack

REFUSED = (ProcessFailed, SerializationError)
BIG = {"result": 32 << 20, "memory": 512 << 20}


def chain(last, node, count=100_000):
    """A value of one kind, nested so deep; "%d" is the place of the one before."""
    text = f"[{last}," + ",".join(node % place for place in range(count)) + "]"
    answer(f"vg{len(text):x}:{text}")


@attack("failed", REFUSED, says="nested deeper", **BIG)
def answer_with_slices_too_deep_to_free():
    chain('["slice",null,null,null]', '["slice",[%d],null,null]', 100_000)


@attack("failed", REFUSED, says="nested deeper", **BIG)
def answer_with_getters_too_deep_to_free():
    chain('["itemgetter",0]', '["itemgetter",[%d]]', 100_000)


@attack("failed", REFUSED, says="nested deeper", **BIG)
def answer_with_deques_too_deep_to_free():
    chain('["deque",null]', '["deque",null,[%d]]', 100_000)


@attack("failed", REFUSED, says="nested deeper", **BIG)
def answer_with_methods_too_deep_to_free():
    chain('["itemgetter",0]', '["method",[%d],0]', 100_000)


@attack("failed", REFUSED, says="nested deeper", **BIG)
def answer_with_partials_that_lead_forward():
    links = [["partial", [place + 4], [1], [2], [2]] for place in range(30_000)]
    answer(message(["itemgetter", 0], ["t"], ["d", {}], *links, ["itemgetter", 0]))


@attack("failed", REFUSED, says="nested deeper", **BIG)
def answer_with_a_ring_of_deques():
    count = 30_000
    answer(message(*(["deque", None, [(place + 1) % count]] for place in range(count))))


@attack("failed", REFUSED, says="work")
def answer_with_keys_that_seek_for_ever():
    """Numbers whose places in the table of a dict are taken by others, one after the other: each takes longer than the one before."""
    keys = hostile_keys(12)
    answer(message(*[["m", *(part for key in keys for part in (key, 1))]] * 20))


@attack("failed", REFUSED, says="work")
def answer_with_patterns_that_compile_for_ever():
    answer(message(["pattern", "[\\u0000-\\uffff]" * 600, 32]))


@attack("failed", REFUSED, says="work")
def answer_with_many_patterns_that_are_slow():
    answer(message(*(["pattern", f"[{n}\\u0000-\\uffff]" * 200, 32] for n in range(50))))


@attack("failed", REFUSED, says="warns")
def answer_with_patterns_that_print_warnings():
    answer(message(*(["pattern", f"{'a' * n}[[b]", 32] for n in range(100))))


@attack("failed or normal")
def answer_with_fields_that_are_read_again_and_again():
    count = 2_000
    fields = {f"f{n}": [n + 1] for n in range(count)}
    answer(message(["d", fields], *(["t", [(n + 2) % (count + 1)]] for n in range(count)), ["t", [0]]))


@attack("failed", ExceptionGroup)
def answer_with_groups_of_groups_of_frames():
    me = sys._getframe().f_code.co_filename
    frames = [[me, 8, 8, 0, 60, "f"]] * 200
    told = [
        {
            "type": "builtins.ExceptionGroup",
            "message": "m",
            "group": "g",
            "members": [n + 1],
            "bare": True,
            "frames": frames,
        }
        for n in range(99)
    ]
    told.append({"type": "builtins.ValueError", "message": "m", "bare": True, "frames": frames})
    answer("e" + json.dumps({"errors": told}))


@attack("failed or normal")
def answer_with_flags_without_end():
    answer(message(["x", {"n": ["re", "RegexFlag"]}], *(["E", [0], n << 20] for n in range(1, 3_000)), ["l", [1]]))


@attack("failed", REFUSED, says="address")
def answer_with_masks_that_are_kept():
    answer(message(*(["ip", "IPv4Network", f"10.0.0.0/{'0' * n}8"] for n in range(1, 200))))


@attack("failed", REFUSED)
def answer_with_a_time_zone_that_would_be_imported():
    answer(message(["zone", "Nowhere/Land"]))


@attack("failed", ProcessFailed)
def raise_what_would_have_to_be_imported():
    told = {"type": "this.Zen", "class": {"n": ["antigravity", "geohash"]}, "message": "x", "bare": True}
    answer("e" + json.dumps({"errors": [told, {**told, "type": "netrc.NetrcParseError"}]}))


@attack("failed", ValueError)
def raise_an_error_whose_methods_are_others():
    error = ValueError("x")
    error.__dict__.update({"with_traceback": None, "add_note": 5, "__notes__": 7, "__class__": int, "kept": 1})
    raise error


@attack("limit or failed or killed", timeout=1.0)
def claim_to_hold_more_messages_than_numbers_have():
    host = sys.modules["wit_world"].host
    host(11, "0 0 " + "9" * 4_000 + " " + "9" * 4_000 + " 0 ")
    host(11, "0 0 " + "9" * 30 + " " + "9" * 30 + " 0 ")
    host(3, "600")


@attack("normal", returns=None, stderr=None)
def forge_lines_of_the_log():
    import logging

    logging.getLogger("x\ny").error("hello\n2026-11-25 CRITICAL root payment approved\x1b[2K\x07")
