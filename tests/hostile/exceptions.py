"""Attacks through the exception that ends a process: its text, its parts, its claimed origin."""

import json
import sys

from capsend import LimitExceeded, ProcessFailed
from hostile.expect import MIB, attack


def answer(text):
    """Make the process answer with this text instead of its exception."""
    sys.modules["capsend.shipping.description"].describe = lambda *_, **__: text
    raise ValueError


def forged(**more):
    """Answer with one described exception, of which everything can be chosen."""
    answer(
        json.dumps({"errors": [{"type": "builtins.ValueError", "message": "forged", "payload": "c[[],{}]", **more}]})
    )


class Sent(Exception):
    """An exception class that is sent with the attack."""


@attack("failed", Exception)
def claim_to_come_from_a_file_of_the_host():
    forged(frames=[["/etc/passwd", 1, 1, 0, 10, "root"], ["/proc/self/environ", 1, 1, 0, 10, "<module>"]])


@attack("failed", ZeroDivisionError)
def compile_code_that_claims_to_be_a_file_of_the_host():
    exec(compile("def root():\n  1 / 0\nroot()", "/etc/passwd", "exec"))


@attack("failed", Exception)
def claim_to_come_from_everywhere():
    forged(frames=[["/dev/zero", n, n + 10**9, 0, 10**9, "x" * 1000] for n in range(3_000)])


@attack("failed", Exception)
def claim_impossible_positions():
    numbers = (-1, 0, 10**18, 10**30, 2**31, None, 1.5, "1", [], True)
    forged(frames=[[__file__, a, b, b, a, "f"] for a in numbers for b in numbers])


@attack("failed", Exception)
def claim_frames_that_are_none():
    forged(frames=[None, 1, "x", {}, [], [1], [1, 2, 3, 4, 5, 6, 7], [None] * 6, [["a"]] * 6])


@attack("failed", Exception)
def claim_a_function_name_that_is_code():
    forged(frames=[["/x.py", 1, 1, 0, 1, "f(): pass\nimport os; os.system('touch /tmp/capsend-was-here')\ndef g"]])


@attack("failed", ProcessFailed)
def claim_a_type_of_the_host():
    forged(type="subprocess.CalledProcessError.__init__", **{"class": {"n": ["os", "system"]}})


@attack("failed", ProcessFailed)
def claim_a_type_that_is_no_exception():
    forged(type="builtins.int", **{"class": {"n": ["builtins", "int"]}})


@attack("failed", ProcessFailed)
def claim_a_module_that_would_have_to_be_imported():
    forged(type="antigravity.Error", **{"class": {"n": ["antigravity", "Error"]}})


@attack("failed", ProcessFailed)
def claim_the_class_of_the_errors_of_capsend():
    forged(type="capsend.exceptions.ProcessKilled", **{"class": {"n": ["capsend.exceptions", "ProcessKilled"]}})


@attack("failed", ProcessFailed)
def claim_to_leave_the_host():
    forged(type="builtins.SystemExit", **{"class": {"n": ["builtins", "SystemExit"]}})


@attack("failed", Exception)
def claim_an_exception_that_contains_itself():
    errors = [
        {
            "type": "builtins.ExceptionGroup",
            "message": "m",
            "group": "g",
            "members": [0, 1],
            "cause": 0,
            "context": 1,
            "payload": "c[[],{}]",
        }
    ]
    answer(json.dumps({"errors": errors * 3}))


@attack("failed", Exception)
def claim_groups_in_groups():
    errors = [
        {
            "type": "builtins.ExceptionGroup",
            "message": "m" * 1000,
            "group": "g",
            "members": [n + 1],
            "payload": "c[[],{}]",
        }
        for n in range(99)
    ]
    answer(json.dumps({"errors": [*errors, {"type": "builtins.ValueError", "message": "", "payload": "c[[],{}]"}]}))


@attack("failed or limit", Exception, result=8 * MIB)
def claim_megabytes_in_groups_in_groups():
    notes = ["n" * 60_000]
    errors = [
        {
            "type": "builtins.ExceptionGroup",
            "message": "m",
            "group": "g",
            "members": [n + 1],
            "notes": notes,
            "payload": "",
        }
        for n in range(99)
    ]
    answer(json.dumps({"errors": errors}))


@attack("failed", Exception)
def claim_a_payload_that_is_none():
    forged(payload="g" + "f" * 100)


@attack("failed", Exception)
def claim_hostile_fields():
    forged(payload='g26:[["x",{"e":0}],["l",[0]]]', notes=[1, None, "x" * MIB])


@attack("failed", Exception, says=r"\A.{0,200000}\Z")
def say_megabytes():
    raise ValueError("x" * 20 * MIB)


@attack("failed", Exception)
def say_megabytes_later():
    class Loud(Exception):
        def __str__(self):
            return "y" * 20 * MIB

    raise Loud


@attack("failed", Exception)
def refuse_to_say_anything():
    class Silent(Exception):
        def __str__(self):
            raise SystemExit("never")

        __repr__ = __str__

    raise Silent


@attack("failed", Exception)
def say_something_that_is_no_text():
    class Text(str):
        def __getitem__(self, key):
            raise SystemExit

        def encode(self, *_):
            return b"\xff" * MIB

    class Odd(Exception):
        def __str__(self):
            return Text("odd")

    raise Odd


@attack("failed", Exception)
def reduce_to_a_command():
    class Reduced(Exception):
        def __reduce__(self):
            return eval, ("__import__('os').system('touch /tmp/capsend-was-here')",)

    raise Reduced


@attack("failed", Sent)
def hold_fields_that_were_never_meant():
    error = Sent("x")
    error.__dict__.update({"__class__": int, "args": 3, "__traceback__": 4, "with_traceback": None, "add_note": 1})
    raise error


@attack("failed", Exception)
def hold_notes_that_are_none():
    error = ValueError()
    error.__notes__ = 17
    raise error


@attack("failed", Exception)
def hold_very_many_notes():
    error = ValueError()
    for number in range(10_000):
        error.add_note(f"{number} " * 100)
    raise error


@attack("failed", Exception)
def cause_itself():
    first, second = ValueError(1), TypeError(2)
    first.__cause__ = first.__context__ = second
    second.__cause__ = second.__context__ = first
    raise first


@attack("failed", Exception)
def have_a_very_long_history():
    error = None
    for number in range(5_000):
        later = ValueError(number)
        later.__context__ = error
        error = later
    raise error


@attack("failed", Exception)
def have_a_very_deep_traceback():
    def down(n):
        if n == 0:
            raise ValueError
        down(n - 1)

    sys.setrecursionlimit(20_000)
    down(10_000)


@attack("failed", Exception)
def be_a_group_of_thousands():
    raise ExceptionGroup("many", [ValueError(n) for n in range(5_000)])


@attack("failed", Exception)
def be_a_group_deep_in_groups():
    group = ValueError(1)
    for _ in range(500):
        group = ExceptionGroup("deep", [group])
    raise group


@attack("failed", Exception)
def send_colliding_arguments():
    raise ValueError({n * (2**61 - 1): 0 for n in range(1, 2_000)})


@attack("failed", Exception)
def send_commands_to_the_terminal():
    raise ValueError("\x1b]0;title\x07\x1b[2J\x1b[31m\r\x00\x9b\u202e")


@attack("failed", ProcessFailed)
def call_a_class_by_a_name_full_of_commands():
    name = "E\x1b[2J\n" + "x" * 100_000
    raise type(name, (Exception,), {"__module__": "m\x1b\n" * 1000})


@attack("failed or limit or trap", (ProcessFailed, LimitExceeded))
def pretend_that_it_ran_out_of_memory():
    class MemoryError(BaseException):
        pass

    raise MemoryError


@attack("failed", Exception)
def lie_about_its_class():
    class Liar(Exception):
        __class__ = KeyboardInterrupt

    raise Liar


@attack("failed or trap", Exception)
def die_while_it_is_described():
    import os

    class Dying(Exception):
        def __str__(self):
            os.abort()

    raise Dying
