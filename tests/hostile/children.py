"""Attacks by way of children: on the operations that spawn and hold them, on the budgets of the tree, and by children on their parents."""

import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import capsend
from capsend import Dir, Environment, HostFunction, LimitExceeded, Mailbox
from hostile.expect import MIB, attack

PROGRAM = '{"entry":0,"steps":[["n","math","sqrt"]]}'
HOST = "host"  # by no name that would be judged
CALL = '0:["t",[["t",[4.0]],{}]]'

_box = Mailbox[int](messages=10, full="drop_oldest")
inbox = _box.address


@HostFunction
def touch() -> int:
    return 1


def host(operation, payload):
    """The function of the host as the interpreter inside sees it."""
    return sys.modules["wit_world"].host(operation, payload)


def pack(name, *args, module="math", **head):
    """Return a program that spawns a function of the image."""
    encode = sys.modules["capsend.codec.text"].encode
    text = encode((args, {}), externals=lambda _: None)
    return f'{json.dumps({"name": name, **head})}\n{{"entry":0,"steps":[["n","{module}","{name}"]]}}\n0:{text}'


def start(name, *args, module="math", **head):
    """Its number in this process's table."""
    return json.loads(host(50, pack(name, *args, module=module, **head)))[0][0]


HEADS = (
    "", "null", "[]", "0", "{", "{}" * 10, '"x"', '{"name":1}', '{"handles":[1]}', '{"handles":7}', '{"limits":[]}',
    '{"limits":{"a":{"b":{"c":{"d":1}}}}}', '{"mailbox":2}', '{"link":"yes"}', '{"link":[]}', "[" * 100_000, '{"name":"' + "x" * 3_000_000 + '"}',
    '{"limits":' + "[" * 5_000 + "]" * 5_000 + "}", '{"handles":"' + "0," * 100_000 + '"}', '{"handles":","}', '{"handles":"a"}',
    '{"handles":"' + "9" * 5_000 + '"}', '{"handles":"' + "1" * 100 + 'r"}', '{"handles":"\u0661"}',
    '{"name":"\\ud800"}' * 2, '{"limits":{"memory":' + "9" * 5_000 + "}}",
)  # fmt: skip


@attack("normal", returns=lambda answers: all(each.startswith("!") for each in answers))
def spawn_with_garbage_heads():
    return [host(50, f"{head}\n{PROGRAM}\n{CALL}") for head in HEADS]


@attack("normal", returns=lambda answers: set(answers) <= {"!malformed", "!limit", "["})
def spawn_with_garbage_of_every_part():
    texts = ["", "\n", "\n\n", "{}", "{}\n", "{}\n\n", "{}\n{", '{"name":"x"}\n[]\n0:']
    texts += [f'{{"name":"\u00e9"}}\n{PROGRAM}\n{CALL}', f"{{}}\n{PROGRAM}\u20ac\n{CALL}", f"{{}}\n{PROGRAM}\n\u20ac"]
    return [each if len(each) < 12 and each[0] == "!" else each[0] for each in (host(50, text) for text in texts)]


LIMITS = (
    f'"memory":{129 * MIB}', f'"memory":{64 * MIB - 1}', '"memory":65536',
    '"memory":"1"', '"memory":-1', '"memory":true', '"memory":1e9', '"timeout":31', '"timeout":1e300', '"timeout":-1',
    '"timeout":NaN', f'"output":{2 * MIB}', f'"result":{5 * MIB}', '"result":-5', '"mailbox":10000', '"mailbox":null,"mailbox":0',
    '"mailbox_bytes":2147483648', '"mailbox_full":"explode"', '"mailbox_full":[[]]', '"processes":101', '"processes":-1',
    '"tree_memory":35184372088832', '"tree_memory":"all"', '"env":5', '"env":{"A":1}', '"env":{"A=B":"c"}', '"env":{"\\u0000":"c"}', '"env":null',
    '"image":"x"', '"stdout":1', '"stderr":null', '"__class__":1', '"":0', '"' + "x" * 10_000 + '":1',
)  # fmt: skip


@attack("normal", returns=lambda answers: [each[:6] for each in answers] == ["!limit"] * len(LIMITS))
def ask_for_more_than_it_has():
    answers = [host(50, f'{{"name":"x","limits":{{{limits}}}}}\n{PROGRAM}\n{CALL}') for limits in LIMITS]
    assert all(len(each) < 700 and each.isascii() for each in answers)
    return answers


NUMBERS = (
    "",
    "x",
    "-1",
    "99",
    "0",
    "1e3",
    "9" * 5_000,
    "\u0661",
    "0 0",
    " ",
    "0 0 0",
    "nan",
    "-0",
    "0x0",
    "None",
    "0\n",
    "0r",
)


@attack("normal", returns=lambda answers: set(answers) <= {"!forged", "!malformed"})
def name_processes_that_it_does_not_hold():
    address, function = inbox, touch
    assert isinstance(address.number + function.number, int)
    answers = []
    for operation in range(51, 59):
        for number in NUMBERS:
            for payload in (number, f"{number} 0", f"0 {number}", f"5 {number}"):
                answers.append(host(operation, payload))
    return answers


@attack("normal", returns=lambda answers: answers == {"!unknown"})
def ask_for_operations_that_there_are_not():
    return {host(operation, "0 0") for operation in (38, 39)}


@attack("normal", returns=["!forged"] * 4 + ["!malformed"] * 3 + ["!handle"])
def give_away_what_it_does_not_hold():
    number = start("sqrt", 4.0)
    names = ("99", "-1", "123456789", "0,99", "r5", ",", f"{inbox.number}r", str(number))
    return [host(50, pack("sqrt", 4.0, handles=name)).split(" ")[0] for name in names]


_root = Path(tempfile.mkdtemp(prefix="capsend-hostile-")).resolve()
(_root / "granted").mkdir()
(_root / "secret").write_text("secret")
granted = Dir(_root / "granted")

PATHS = (
    "..", "../secret", "a/../../secret", "%2E%2E/secret", "..%2Fsecret", "/etc", "%2Fetc/passwd", "//", "a%00b", "%00", "x" * 5_000,
    "%ff%fe", "%F0%9F", "%ED%A0%80/..", "a/..", "../" * 1_000,
)  # fmt: skip


def folder_number():
    """Its number in this process's table."""
    return str(granted.__capsend_handle__).partition("/")[0]


@attack("normal", returns=lambda answers: set(answers) == {"!malformed"})
def lead_a_folder_out_of_itself():
    number = folder_number()
    names = [f"{number}{right}/{path}" for path in PATHS for right in ("", "r")]
    names += [f"{number}rr/x", f"{number}w/x", f"/{number}", f"r{number}/x"]
    names += [f"{inbox.number}/x", f"{inbox.number}r/x"]
    return [host(50, pack("sqrt", 4.0, handles=name)) for name in names]


@attack("normal", returns=lambda answers: set(answers) == {"!forged"})
def tell_of_folders_that_it_was_not_given():
    return [
        host(50, pack("sqrt", 4.0, handles=f"{number}{rest}"))
        for number in (99, -1, 10**30)
        for rest in ("/x", "r/x", "r")
    ]


@attack("normal", returns=lambda kinds: set(kinds) == {"[", "!"}, tree_memory=256 * MIB)
def fill_the_host_with_long_paths():
    """Paths are charged to the tree, whatever they name."""
    number, name = folder_number(), "x" * 200
    names = ",".join(f"{number}/{each}{name}" for each in range(9_000))
    return [
        host(50, pack("sleep", 20, module="time", handles=names, limits={"memory": 64 * MIB}))[0] for _ in range(20)
    ]


@attack("normal", returns=lambda kinds: kinds == ["!", "!", "!", "!", "d"])
def wait_for_times_that_are_none():
    number = start("sleep", 1_000, module="time")
    answers = [host(51, f"{number} {time}") for time in ("nan", "x", "", "1 1")]
    host(54, f"7 {number}")
    host(52, f"{number}")
    return [each[:1] for each in (*answers, host(11, "1 5 0 0 0 "))]


@attack("normal", returns=lambda found: found[0] <= 100 and found[1] in {"!limit"})
def spawn_without_end():
    count, answer = 0, "["
    while answer[0] == "[":
        answer = host(50, pack("sleep", 1_000, module="time", limits={"memory": 64 * MIB}))
        count += 1
    return count, answer[:6]


@attack("normal or limit", capsend.LimitExceeded, timeout=5.0, tree_memory=256 * MIB)
def fork_for_ever():
    def fork():
        kept = []
        while True:
            with contextlib.suppress(LimitExceeded):
                kept.append(Environment(memory=64 * MIB).spawn(fork))

    fork()


@attack("normal", returns=300)
def spawn_and_kill_without_end():
    for _ in range(300):
        number = start("sleep", 1_000, module="time")
        host(52, str(number))
        host(22, f"{number}*1")
    return 300


@attack("normal", returns=lambda answers: answers[0] == "" and answers[-1] == "!calls")
def await_ends_without_end():
    number = start("sleep", 1_000, module="time")
    return [host(54, f"{tag} {number}") for tag in range(1, 2_000)]


@attack("normal", returns=lambda answers: answers[-1] == "!watches")
def link_children_without_end():
    one, other = (start("sleep", 1_000, module="time") for _ in range(2))
    answers = []
    while not answers or not answers[-1]:
        host(52, str(other))
        host(51, f"{other} -1")
        host(22, f"{other}*1")
        other = start("sleep", 1_000, module="time")
        answers.append(host(56, f"{one} {other}"))
        if len(answers) > 300:
            return ["!watches"]
    return answers


@attack("normal", returns=lambda answers: {each[0] for each in answers} <= {"e", "x", "v"})
def spawn_what_never_was_a_program():
    programs = ["{}", "{1", '{"entry":0,"steps":[]}', '{"entry":0,"steps":[["m",0,0,0,0]]}']
    programs += [
        f'{{"{prefix},"entry":0,"steps":[["n","math","sqrt"]]}}'
        for prefix in ('parent":0', 'handles":[[0,"function",["x",0]],[1,"dir","/"]]')
    ]
    programs += ['{"entry":0,"steps":[["n","os","_exit"]]}']
    answers = []
    for program in programs:
        for call in ("", ":", "0:", "zz:", "ffffffff:", CALL, "0:k" + "A" * 100):
            number = json.loads(host(50, f'{{"name":"x"}}\n{program}\n{call}'))[0][0]
            answers.append(host(51, f"{number} -1"))
            host(22, f"{number}*1")
    return answers


@attack("normal", returns=lambda told: all(told))
def return_garbage_to_the_parent():
    def lie(text: str):
        # The part that is sent ahead is the beginning of the answer; the rest is something that cannot be sent.
        vars(sys.modules["wit_world"])[HOST](4, text)

    lies = [
        "",
        "v",
        "v:",
        "vzz:",
        "v-1:",
        "v0",
        "v0:k",
        "vffffffff:",
        "v1:",
        "v2:99",
        "v3:1,1",
        "v1:x",
        "x0:[]",
        "q0:",
        "\u20ac0:",
    ]
    lies += ["v0:\u20ac", "v000000000000:", "e0:{", "u0:[", "v\n:"]
    told = []
    for text in lies:
        child = capsend.spawn(lie, text)
        try:
            told.append(repr(child.result())[:0] == "")
        except Exception as error:
            told.append(isinstance(error, Exception))
    return told


@attack("normal", returns=lambda told: told[0] == "limit" and "OutputLimitExceeded" in told[1])
def return_an_endless_result_to_the_parent():
    def flood():
        while True:
            vars(sys.modules["wit_world"])[HOST](4, "v" * 100_000)

    child = capsend.spawn(flood)
    try:
        child.result()
    except LimitExceeded as error:
        return child.exit_reason, type(error).__name__
    return "", ""


@attack("limit", capsend.OutputLimitExceeded, says="output")
def flood_by_children():
    def flood():
        print("x" * 100_000, flush=True)

    while True:
        with contextlib.suppress(LimitExceeded):
            capsend.spawn(flood).result()
        host(1, "y")


@attack("limit", capsend.TimeLimitExceeded, cpu=1.0)
def compute_by_children():
    def burn():
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass

    while True:
        capsend.spawn(burn).result()


@attack("normal", returns=lambda held: held < 60 * MIB)
def hoard_results_of_children():
    kept = []
    for _ in range(40):
        number = start("mul", "x", 2 * MIB, module="operator")
        while json.loads(host(53, str(number)))["reason"] is None:
            pass
        kept.append(json.loads(host(53, str(number)))["reason"])
    return kept.count("normal") * 2 * MIB


@attack("normal", returns=lambda count: count <= 3, memory=512 * MIB, tree_memory=512 * MIB)
def spawn_with_programs_that_fill_the_host():
    program = f'{{"entry":0,"steps":[["n","time","sleep"],["v","s{"x" * 4_000_000}"]]}}'
    call = pack("sleep", 1_000).rpartition("\n")[2]
    count = 0
    while host(50, f'{{"name":"x"}}\n{program}\n{call}')[0] == "[":
        count += 1
    return count


@attack("failed", (capsend.ProcessFailed, capsend.SerializationError), says="process")
def return_a_process_to_the_host():
    return capsend.spawn(time.sleep, 1_000)


@attack("failed", capsend.ProcessFailed, says="cannot be accepted")
def claim_that_a_process_is_a_result():
    number = start("sleep", 1_000, module="time")
    host(4, sys.modules["capsend.codec.text"].encode(object, externals=lambda _: {"h": number}, prefix="v"))
    return 1


@attack("normal", returns={"!handle"})
def send_a_process_in_a_message():
    number = start("sleep", 1_000, module="time")
    text = sys.modules["capsend.codec.text"].encode(object, externals=lambda _: {"h": 0})
    return {host(10, f"{inbox.number} 0 0 {number}:{text}").split(" ")[0]}
