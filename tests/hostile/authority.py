"""Attacks on what a process was given: addresses, folders and functions of the host, used past everything that is polite."""

import enum
import os
import pathlib
import sqlite3
import sys
import tempfile
from typing import Any

import attrs

from capsend import Dir, HostFunction, Mailbox, OutputLimitExceeded, TimeLimitExceeded
from hostile.expect import MIB, attack

QUICK = 0.4
SECRET = "what-no-process-may-read"

# One place for all programs; it goes with this program.
_place = tempfile.TemporaryDirectory()
_root = pathlib.Path(_place.name)
(_root / "secret").write_text(SECRET)
for _name in ("read", "write"):
    (_root / _name).mkdir()
    (_root / _name / "x").write_text("untouched")
    (_root / _name / "out").symlink_to("../secret")


def status():
    """Return the host's state that reading does not change."""
    found = (_root / "read" / "x").stat()
    return found.st_mode, found.st_size, found.st_mtime_ns, found.st_nlink, found.st_ino


_status = status()
readable = Dir(_root / "read")
writable = Dir(_root / "write", write=True)

_box: Mailbox[Any] = Mailbox(messages=100, full="drop_oldest")
_closed: Mailbox[Any] = Mailbox()
inbox, nobody = _box.address, _closed.address
_closed.close()


class Color(enum.Enum):
    RED = 1


@attrs.frozen
class Order:
    name: str


@HostFunction
def count(rows: list[list[list[int]]]) -> int:
    return len(rows)


@HostFunction
def paint(color: Color, order: Order, *rest: int, size: float = 1.0) -> str:
    if type(color) is not Color or type(order) is not Order or not all(isinstance(each, int) for each in rest):
        raise SystemExit("a wrong argument came through")
    return f"{color}{size}"


@HostFunction
def echo(value: object) -> object:
    return value


def host():
    """The function of the host as the interpreter inside sees it."""
    return sys.modules["wit_world"].host


def refused(action):
    """Return whether an action raised."""
    try:
        action()
    except Exception:
        return True
    return False


def is_untouched():
    """Return whether the protected state is unchanged; called on the host."""
    here = sorted(path.name for path in _root.iterdir()), sorted(path.name for path in (_root / "read").iterdir())
    contents = (_root / "read" / "x").read_text(), (_root / "secret").read_text()
    return (here, contents, status()) == ((["read", "secret", "write"], ["out", "x"]), ("untouched", SECRET), _status)


def attempts_to_change(place):
    """Every way to change what is in a folder; the file `x` is there."""
    flags = (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND)
    made = (os.O_RDONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def through_sqlite():
        with sqlite3.connect(place / "x.db") as database:
            database.execute("create table t (a)")

    return [
        *[lambda flag=flag: os.write(os.open(place / "x", flag), b"changed") for flag in flags[:3]],
        lambda: os.write(os.open(place / "x", flags[4]), b"changed"),
        *[lambda flag=flag: os.open(place / "new", flag) for flag in made],
        lambda: os.truncate(place / "x", 0),
        lambda: os.ftruncate(os.open(place / "x", os.O_RDONLY), 0),
        lambda: os.utime(place / "x", (1, 1)),
        lambda: os.rename(place / "x", place / "y"),
        lambda: os.replace(place / "out", place / "x"),
        lambda: os.link(place / "x", place / "y"),
        lambda: os.symlink("x", place / "y"),
        lambda: os.remove(place / "out"),
        lambda: os.mkdir(place / "sub"),
        lambda: tempfile.NamedTemporaryFile(dir=place),
        through_sqlite,
    ]


def flood(operation, payload, *, times):
    """Ask for one operation again and again; the last answer."""
    call = host()
    for _ in range(times):
        answer = call(operation, payload)
    return answer


# --- operations ---


@attack("normal", returns="alive")
def ask_every_operation_for_nonsense():
    keep = inbox
    pieces = (
        "",
        ":",
        "0",
        "-1 -1 -1 -1:",
        "0 0 0 0 0 0",
        f"{2**63} 0 0 :s",
        "9" * 4_400,
        "é\0\n",
        "0 inf 1 r1,r1:s",
        "0:" + "[" * 9_999,
    )
    for operation in (*range(4), *range(5, 61), 2**16, 2**31 - 1, 2**32 - 1):
        for piece in pieces:
            if operation not in {1, 2, 3}:
                host()(operation, piece)
    return "alive" if keep.send("x") else "dead"


@attack("normal", returns={"!forged"})
def forge_handles():
    keep = inbox, nobody
    numbers = (2, 5, -1, -(2**31), 2**31, 2**63, 2**64, 10**30)
    answers = {host()(operation, str(number)) for operation in (13, 14, 15, 16) for number in numbers}
    answers |= {host()(10, f"{number} 0 0 :s") for number in numbers}
    answers |= {host()(10, f"{keep[0].number} 0 0 {number}:s") for number in numbers}
    return answers | {host()(18, f"{number} 1 :s") for number in numbers}


@attack("normal", returns=["!malformed"] * 4)
def send_pickles_and_wide_text():
    frames = ("k07cos\nsystem\n(S'x'\ntR.", "k", "s\u0101", "é" * 100_000)
    return [host()(10, f"{inbox.number} 0 0 :{frame}") for frame in frames]


@attack("normal", returns=("!handles", "", "!forged"))
def name_handles_without_end():
    number = inbox.number
    return (
        host()(10, f"{number} 0 0 {','.join([str(number)] * 1_000_000)}:s"),
        host()(10, f"{number} 0 0 {','.join([str(number)] * 100)}:s"),
        host()(10, f"{number} 0 0 {','.join(map(str, range(50, 150)))}:s"),
    )


@attack("normal", returns="!large")
def send_more_than_a_mailbox_holds():
    return host()(10, f"{inbox.number} 0 0 :s" + "x" * (17 * MIB))


@attack("normal", returns="")
def flood_a_mailbox_of_the_host():
    return flood(10, f"{inbox.number} -1 0 :s" + "x" * 10_000, times=5_000)


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def send_to_itself_until_it_waits_for_ever():
    # Its own port takes no messages without a mailbox: as calls, which are answered by itself.
    own = host()(20, "").split(",")[0].strip("[ ")
    for tag in range(1, 10**9):
        host()(10, f"{own} -1 {tag} r{tag}:s")
        host()(11, "0 -1 0 0 0 ")


@attack("normal", returns="!closed")
def call_the_dead_without_end():
    for tag in range(1, 100_000):
        answer = host()(10, f"{nobody.number} -1 {tag} r{tag}:s" + "x" * 100)
    return answer


@attack("normal", returns=("!watches", "!watches"))
def monitor_and_link_the_dead_without_end():
    host()(17, "1")
    monitored = flood(13, str(nobody.number), times=50_000)
    return monitored, flood(15, str(nobody.number), times=50_000)


@attack("normal", returns="1")
def set_and_cancel_timers_without_end():
    host()(18, f"{inbox.number} 900 :s")
    for _ in range(50_000):
        answer = host()(19, host()(18, f"{inbox.number} 1000000 :s"))
    return answer


@attack("normal", returns="!timers")
def set_timers_without_end():
    return flood(18, f"{inbox.number} 1e300 :s" + "x" * 100_000, times=2_000)


@attack("normal", returns="!calls")
def open_calls_without_end():
    for tag in range(1, 3_000):
        answer = host()(10, f"{inbox.number} -1 {tag} r{tag}:s")
    return answer


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def wait_for_mail_for_ever():
    while True:
        host()(11, "0 -1 0 0 0 ")


@attack("normal", returns="")
def lie_about_what_is_held():
    keep = inbox
    for payload in ("0 0 99999999999999 9999999999999 999999 ", "0 0 -5 -5 -5 ", f"0 0 0 0 0 {keep.number}*{10**30}"):
        host()(11, payload)
    flood(11, "0 0 0 0 0 " + ",".join(["5*1"] * 1_000), times=100)
    return host()(17, "x")


@attack("normal", returns=["", "!handles", "!malformed", "!malformed"], memory=192 * MIB)
def split_payloads_into_millions_of_parts():
    number = inbox.number
    return [
        host()(11, "0 0 0 0 0 " + "7*1," * 5_000_000 + "7*1"),
        host()(10, f"{number} 0 0 " + "10," * 7_000_000 + "10:s"),
        host()(10, "10 " * 7_000_000 + ":s"),
        host()(11, "10 " * 7_000_000),
    ]


@attack("limit", OutputLimitExceeded)
def log_without_end():
    flood(21, "50 root:" + "x" * 60_000, times=1_000)


@attack("limit", OutputLimitExceeded)
def warn_without_end():
    import json

    flood(7, json.dumps(["UserWarning", "x" * 60_000, "/etc/passwd", 1, "m"]), times=1_000)


@attack("normal", returns={"", "!error"})
def warn_with_what_is_no_warning():
    texts = (
        "", "[]", "{}", "[" * 50_000, '["SystemExit","x","f",1,"m"]', '["UserWarning",1,"f",1,"m"]', '["UserWarning","x","f",-1,"m"]',
        '["UserWarning","x","f",1e9,"m"]', '["__import__","x","f",1,"m"]', '["UserWarning","\\u001b[31m","/dev/tty",1,"m\\n"]',
    )  # fmt: skip
    return {host()(7, text)[:6] for text in texts} | {"", "!error"}


@attack("limit", TimeLimitExceeded, timeout=QUICK)
def flush_without_end():
    while True:
        flood(5, "1", times=1_000)


@attack("limit", OutputLimitExceeded, says="bytes in transit", result=10_000)
def send_an_answer_by_single_characters():
    flood(4, "", times=100_000)
    flood(4, "x", times=100_000)


# --- functions of the host ---


@attack("normal", returns={"e"})
def call_with_what_is_no_call():
    keep = echo
    texts = (
        "", ":", "0", "-1:c[[],{}]", f"{2**64}:c[[],{{}}]", "0:k0280", "0:g5:[[]]", "0:p" + "[" * 50_000, "0:c[[],[]]", "0:c[{},{}]",
        '0:c[[1],{"value":1}]', '0:c[[],{"":1}]', '0:c[[],{"__class__":1}]', '0:g17:[["x",{"h":99}],["t"]]', '0:g1a:[["x",{"n":["os","system"]}]]',
    )  # fmt: skip
    return {host()(40, text.replace("0:", f"{keep.number}:", 1))[:1] for text in texts}


@attack("normal", returns=True)
def call_with_wrong_arguments():
    good = Color.RED, Order("x")
    calls = [
        lambda: paint(),
        lambda: paint(1, good[1]),
        lambda: paint("RED", good[1]),
        lambda: paint(*good, "x"),
        lambda: paint(*good, None),
        lambda: paint(*good, size="1"),
        lambda: paint(*good, color=good[0]),
        lambda: paint(*good, __wrapped__=1),
        lambda: paint(good[1], good[0]),
        lambda: paint(Color, Order),
        lambda: count([[[0], "x"]]),
        lambda: count([[[1 << 100_000, "x"]]]),
        lambda: count(count),
    ]
    return all(refused(call) for call in calls) and paint(*good, 10**3_000, size=2) == "Color.RED2"


@attack("normal", returns=1_000)
def call_with_few_lists_that_are_a_huge_tree():
    rows: Any = 0
    for _ in range(3):
        rows = [rows] * 1_000
    return count(rows)


@attack("normal", returns=True)
def call_with_a_list_that_contains_itself():
    rows: list[Any] = []
    rows.append(rows)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return refused(lambda: count([[rows, [1, "x"]]])) and refused(lambda: count(deep)) and len(echo(deep)) == 1


@attack("normal", returns=30)
def call_with_megabytes_again_and_again():
    return sum(len(echo("x" * MIB)) == MIB for _ in range(30))


# --- folders ---


@attack("normal", returns=[])
def change_a_folder_that_is_read_only():
    os.chmod(readable / "x", 0o777)  # there are no modes in WASI: it does nothing, and says so of nothing
    done = [number for number, attempt in enumerate(attempts_to_change(readable)) if not refused(attempt)]
    return done if (readable / "x").read_text() == "untouched" else ["it was changed"]


@attack("normal", returns=set())
def name_paths_that_lead_out():
    tops = (str(readable), str(writable))
    ways = (
        "/..",
        "/../secret",
        "/out",
        "/./../secret",
        "//..//secret",
        "/x/../../secret",
        "\0/../secret",
        "/" + "../" * 300 + "etc/passwd",
    )
    paths = {top + way for top in tops for way in ways}
    paths |= {f"/dirs/{number}" for number in range(30)} - set(tops)
    paths |= {
        "/",
        "/dirs",
        "/dirs/99",
        "/etc/passwd",
        "secret",
        "../secret",
        "x" * 1_000_000,
        str(readable) + "/" + "a/" * 5_000,
    }
    found = set()
    for path in paths:
        for reader in (
            lambda path: open(path).read(),
            os.listdir,
            os.readlink,
            lambda path: os.open(path, os.O_DIRECTORY),
        ):
            if not refused(lambda reader=reader, path=path: reader(path)):
                found.add((path[:50], reader.__name__))
    return {(path, name) for path, name in found if not (path.endswith("/out") and name == "readlink")}


@attack("normal", returns=0)
def race_links_against_opens():
    folder, leaks = writable, 0
    for _ in range(200):
        link = folder / "race"
        os.symlink("x", link)
        os.remove(link)
        if refused(lambda link=link: os.symlink("../secret", link)):
            continue
        leaks += not refused(lambda link=link: link.read_text())
        os.rename(link, folder / "raced")
        leaks += not refused(lambda folder=folder: (folder / "raced").read_text())
        os.remove(folder / "raced")
    return leaks


@attack("normal", returns=True)
def change_the_current_folder():
    refused(lambda: os.chdir(readable))
    refused(lambda: os.chdir(".."))
    return all(refused(lambda path=path: open(path).read()) for path in ("secret", "../secret", "../../etc/passwd"))


@attack("normal", returns=True)
def hold_all_the_files_it_can():
    held = []
    try:
        while len(held) < 5_000:
            held.append(os.open(writable / "x", os.O_RDONLY))
    except OSError:
        pass
    return len(held) <= 5_000
