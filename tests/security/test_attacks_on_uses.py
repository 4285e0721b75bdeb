"""Hostile programs behind the newer ways to use a process: sessions, source text, records, streams, outcomes, addresses, modules, folders."""

import contextlib
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from capsend import (
    CapsendError,
    Dir,
    Environment,
    Executor,
    Mailbox,
    ProcessFailed,
    ProcessGroup,
    Session,
    Source,
    Supervisor,
    WasmModule,
    host_function,
    processes,
    spawn,
    stream,
)
from capsend.codec.printable import printable
from capsend.engine import assemble
from capsend.shipping.records import Record
from capsend.supervisor import RestartsExceeded
from tests.memory import resident

MIB = 1 << 20
PATIENCE = 60
STRICT = Environment(
    memory=128 * MIB, timeout=10, output=MIB, result=4 * MIB, processes=3, mailbox=50, stdout=None, stderr=None
)
ESCAPE = "\x1b[2J\x1b]0;owned\x07"

# --- cells of a session: after each, the session answers, or has ended with a reason ---

CELLS = {
    "replace the builtins": "import builtins\nfor n in ('len', 'list', 'dict', 'str', 'isinstance', 'type'): setattr(builtins, n, None)",
    "delete the builtins": "globals().pop('__builtins__', None); import builtins; vars(builtins).clear()",
    "empty the modules": "import sys; sys.modules.clear()",
    "empty the globals": "globals().clear()",
    "rebind the name of the module": "__name__ = 7; __file__ = b''; __builtins__ = {}",
    "answer names with a number": "import sys; sys.modules['capsend_guest.cells'].names = lambda *a: 5",
    "answer everything with lists": "import sys\nfor n in list(vars(sys.modules['capsend_guest.cells'])):\n"
    "    if callable(vars(sys.modules['capsend_guest.cells'])[n]): setattr(sys.modules['capsend_guest.cells'], n, lambda *a, **k: [a, k])",
    "trace everything": "import sys; sys.settrace(lambda *a: (_ for _ in ()).throw(ValueError))",
    "profile everything": "import sys; sys.setprofile(lambda *a: 1 / 0)",
    "ignore interrupts": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "handle interrupts for ever": "import signal\ndef h(*a):\n    while True: pass\nsignal.signal(signal.SIGINT, h)\nwhile True: pass",
    "catch interrupts for ever": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "sleep through interrupts": "import time\nwhile True:\n    try: time.sleep(1000)\n    except BaseException: pass",
    "exit": "import sys; sys.exit(0)",
    "exit below": "import os; os._exit(0)",
    "abort": "import os; os.abort()",
    "close the streams": "import sys; sys.stdout.close(); sys.stderr.close(); sys.stdin.close()",
    "replace the streams": "import sys; sys.stdout = sys.stderr = 7",
    "fill the memory": "x = []\nwhile True: x.append(bytes(1 << 20))",
    "keep all memory": "x = []\ntry:\n    while True: x.append(bytes(1 << 20))\nexcept MemoryError: pass",
    "recurse": "def f(): f()\nf()",
    "recurse in repr": "x = []\nfor _ in range(10**5): x = [x]\nrepr(x)",
    "finalize for ever": "class A:\n    def __del__(self):\n        while True: pass\nA()",
    "return a record that is a tree without end": "class R: pass\nr = R()\nfor _ in range(60):\n    n = R(); n.a = n.b = r; r = n\nr",
    "return a deep record": "class R: pass\nr = None\nfor _ in range(5000):\n    n = R(); n.a = r; r = n\nr",
    "return a record in a ring": "class R: pass\nr = R(); r.me = r; r.all = [r, {1: r}]\nr",
    "return a record of commands": f"R = type({ESCAPE!r}, (), {{}})\nr = R(); vars(r)[{ESCAPE!r}] = 1\nr",
    "return a class": "class M(type): pass\nclass R(metaclass=M): pass\nR",
    "return a class that lies": "class R:\n    __class__ = int\n    def __reduce__(self): return 5\nR()",
    "return an enum that lies": "import enum\nclass E(enum.Enum):\n    A = 1\nE.A._value_ = [E.A]; E.A._name_ = 7\nE.A",
    "return a named tuple that lies": "import collections\nN = collections.namedtuple('N', 'a b'); N._fields = ('a',) * 1000\nN(1, 2)",
    "return a dict with odd keys": "{(1, (2,)): 1, None: 2, 1.5: 3, frozenset((1,)): 4}",
    "return a huge int": "1 << 100_000",
    "return odd text": "'\\ud800' + '\\x1b[2J' + chr(0x10ffff) * 1000",
    "return a generator": "(n for n in range(3))",
    "return megabytes": "'x' * 50_000_000",
    "raise a class that lies": "class E(Exception):\n    def __str__(self): return 1 / 0\n    def __reduce__(self): raise self\nraise E()",
    "raise a class with a name of commands": f"raise type({ESCAPE!r}, (Exception,), {{}})()",
    "raise with notes of everything": "e = ValueError(1); e.__notes__ = [1, b'', None, 'x' * 10**6]; raise e",
    "raise a group without end": "e = ValueError(1)\nfor _ in range(40): e = ExceptionGroup('g', [e, e])\nraise e",
    "raise a tree without end": "x = []\nfor _ in range(40): x = [x, x]\nraise ValueError(x)",
    "raise an import error": "raise ImportError('x', name='antigravity', path='/etc/passwd')",
    "raise a syntax error": f"raise SyntaxError({ESCAPE!r}, ('/etc/passwd', 1, 1, {ESCAPE!r}, 1, 10**9))",
    "raise nothing that can be raised": "raise 5",
    "raise an error of capsend": "import capsend; raise capsend.ProcessKilled('no')",
    "raise with a context of itself": "e = ValueError(1); e.__context__ = e; e.__cause__ = e; raise e",
    "warn of commands": f"import warnings; warnings.warn({ESCAPE!r}); warnings.warn_explicit('x', UserWarning, '/etc/passwd', 1)",
    "log commands": f"import logging; logging.getLogger({ESCAPE!r}).error({ESCAPE!r})",
    "spawn for ever": "from capsend import spawn\nimport time\nx = []\ntry:\n    while True: x.append(spawn(time.sleep, 1000))\n"
    "except Exception: pass",
    "await for ever": "import asyncio\nawait asyncio.sleep(10**6)",
    "leave tasks": "import asyncio\nasync def f():\n    while True: await asyncio.sleep(0)\n"
    "t = asyncio.ensure_future(f())\nawait asyncio.sleep(0)",
    "register exit handlers for ever": "import atexit\ndef f():\n    while True: pass\natexit.register(f)",
    "forge the entries": "import sys\nm = sys.modules['capsend_guest.runtime']\nm._answer = lambda *a: 'vp[1,2]'",
    "forge nonsense": "import sys\nm = sys.modules['capsend_guest.runtime']\nm._answer = lambda *a: 'vg5:[[]]x'",
    "forge no text": "import sys\nm = sys.modules['capsend_guest.runtime']\nm._answer = lambda *a: 5",
    "replace run": "import sys\nm = sys.modules['capsend_guest.runtime']\nm.run = lambda *a: 1 / 0",
    "compile as a file of the host": "exec(compile('1/0', '/etc/passwd', 'exec'))",
    "rename its own cell": "import sys\nsys._getframe().f_code.replace(co_filename='/etc/passwd')\n__file__ = '/etc/passwd'\n1 / 0",
    "fill the line cache": "import linecache\nlinecache.cache.update({f'<cell {n}>': (1, None, ['\\x1b[2J'], 'x') for n in range(1000)})\n1 / 0",
}  # fmt: skip


@pytest.fixture(scope="module")
def quiet_session():
    """A session in which nothing happens."""
    with Session(STRICT) as session:
        session.run("kept = 1")
        yield session


@pytest.mark.parametrize("cell", CELLS)
def test_a_session_answers_or_ends_with_its_reason(cell, quiet_session, capfd):
    """Whatever a cell has done, everything that a host does with a session ends soon, as a value or an `Exception`."""
    began, before = time.monotonic(), resident()
    with Session(STRICT) as session:
        outcome = session.execute(CELLS[cell], timeout=2)
        assert outcome.error is None or isinstance(outcome.error, Exception)
        show(outcome)
        for act in (
            lambda: session.run("1 + 1", timeout=2),
            session.names,
            lambda: "kept" in session,
            lambda: session["kept"],
            lambda: session.__setitem__("kept", [1]),
            lambda: session.__delitem__("kept"),
            session.interrupt,
            lambda: session.fork().close(),
            session.reset,
            lambda: session.run("2", timeout=2),
        ):
            with contextlib.suppress(Exception):
                show(act())
        assert session.run("3", timeout=PATIENCE) == 3
    assert quiet_session.run("kept") == 1
    assert time.monotonic() - began < 2 * PATIENCE
    assert resident() - before < 300 * MIB
    assert "\x1b" not in "".join(capfd.readouterr())


def show(value):
    """Show a value, as a service would."""
    if hasattr(value, "to_json"):
        told = json.loads(value.to_json())
        assert "\x1b" not in json.dumps(told)
        if value.error is not None:
            assert len("".join(traceback.format_exception(value.error))) < 20 * MIB
        value = value.value
    if type(value).__name__ == "Record":
        text = repr(value)
        assert printable(text) == text
        assert len(text) < MIB


def test_results_of_a_session_do_not_add_up():
    """Each is taken before the next, so none is refused for the sake of the others, and none is kept."""
    with Session(STRICT) as session:
        for count in (10, 40):
            before = resident()
            for _ in range(count):
                assert len(session.run("'x' * 3_000_000")) == 3_000_000
        assert resident() - before < 30 * MIB


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000, "x = " + "-" * 50_000 + "1", "[" * 90 + "]" * 90, "\0", "\ud800", "a" * 1_000_000, "lambda: " * 3_000 + "1", "f'" + "{" * 500,
        "\x1b[2J", "if 1:\n" * 200, "1 +" * 20_000 + "1", "#" + "x" * 2_000_000, "\f\f\f1", "# -*- coding: utf-7 -*-\n1", "async " * 100,
        "x" + ".x" * 20_000, "{**" * 3_000, "match x:\n case " + "[" * 500,
    ],
    ids=range(18),
)  # fmt: skip
def test_source_text_of_any_kind_is_run_or_refused(text):
    """In a process, and never by the host."""
    began = time.monotonic()
    try:
        show(STRICT.execute(Source(text, name="plugin.py")))
    except (SyntaxError, CapsendError, ValueError) as error:
        shown = "".join(traceback.format_exception(error))
        assert "\x1b" not in shown
        assert len(shown) < MIB
    assert time.monotonic() - began < PATIENCE


# --- names that a process chooses ---


def name_children_after_commands() -> str:
    """Spawn what has a name that commands a terminal."""
    host = sys.modules["wit_world"].host
    name = json.dumps("\x1b[2J\n\r\x07" * 3 + "x" * 100_000)
    program = '{"entry":{"n":["time","sleep"]},"steps":[]}'
    answer = host(50, f'{{"name":{name},"limits":{{"memory":67108864}}}}\n{program}\n0:c[[50],{{}}]')
    host(3, "3")
    return answer[:200]


def test_a_child_has_a_name_that_can_be_printed():
    """Lists of processes, audit events and messages show it."""
    events = []

    def hook(event, arguments):
        if event.startswith("capsend.") and listening:
            events.append(str(arguments))

    listening = [1]
    sys.addaudithook(hook)
    with STRICT.spawn(name_children_after_commands) as p:
        until = time.monotonic() + PATIENCE
        while len(named := [each for each in processes() if each.parent == p.id]) == 0 and time.monotonic() < until:
            if p.done():
                break
            time.sleep(0.01)
        told = p.result(PATIENCE)
        shown = [each.name for each in named] + [told, *events]
        listening.clear()
    assert "xxxx" in told
    for text in shown:
        assert printable(text) == text
        assert len(text) < 5_000


def test_the_names_in_a_module_of_a_stranger_can_be_printed():
    """Those of its functions, in tracebacks, and of its exports and imports, in errors."""
    named = assemble('(module (func $evil_name unreachable) (func (export "go") call $evil_name))')
    module = WasmModule.from_bytes(named.replace(b"evil_name", b"\x1b[2J\x07\r\n\x1b]"))
    with pytest.raises(ProcessFailed) as caught:
        spawn(module.function("go")).result(PATIENCE)
    assert printable(str(caught.value).replace("\n", "")) == str(caught.value).replace("\n", "")
    for text in (
        '(module (import "\\1b[2J" "\\1b[2J" (func)) (func (export "go")))',
        '(module (func (export "\\1b[2J") (param externref)))',
        '(module (func (export "go")) (func (export "\\1b[2J\\0d")))',
    ):
        try:
            made = WasmModule.from_wat(text)
            shown = repr(made) + repr(made.functions)
            made.function("nothing")
        except (CapsendError, ValueError, AttributeError, LookupError) as error:
            shown = "".join(traceback.format_exception_only(error))
        assert "\x1b" not in shown, text


# --- streams ---


def endless(window: int):
    """Yield for ever, as fast as possible."""
    n = 0
    while True:
        n += 1
        yield "x" * window


def megabytes():
    """Yield items that are too large."""
    yield "x"
    yield "x" * (40 * MIB)


def forged():
    """Send what is no item."""
    host = sys.modules["wit_world"].host
    for text in ("", "s", "p[", "g5:[[]]", "k", "vp1", "x" * 100_000):
        for number in range(3):
            host(10, f"{number} 0 0 :{text}")
    yield 1


def dies():
    """Yield and abort."""
    yield 1
    os.abort()


def test_streams_of_strangers_are_bounded_and_end():
    """By their window, by the size of their mailbox, and by the end of the process."""
    before = resident()
    with stream.within(STRICT)(endless, 10_000) as items:
        assert [len(next(items)) for _ in range(100)] == [10_000] * 100
        time.sleep(0.5)
    with stream.within(STRICT)(megabytes) as items:
        assert next(items) == "x"
        with pytest.raises(Exception, match=r"larger|more than|memory"):
            next(items)
    assert [item for item in stream.within(STRICT)(forged) if item != ""] == [1]
    with stream.within(STRICT)(dies) as items:
        assert next(items) == 1
        with pytest.raises(ProcessFailed):
            next(items)
    assert resident() - before < 200 * MIB


# --- functions of the host ---


@host_function
def total(numbers: list[int], *more: int, scale: float = 1.0, **named: str) -> float:
    """Sum numbers."""
    return (sum(numbers) + sum(more)) * scale + sum(map(len, named.values()))


def call_with_everything() -> dict[str, int]:
    """Call a function of the host with arguments of every shape, past its proxy."""
    total
    host = sys.modules["wit_world"].host
    nodes = [
        "c[[],{}]", "c[[[1,2]],{}]", "c[[[true]],{}]", "c[[[1.5]],{}]", 'c[[["1"]],{}]', "c[[{}],{}]", "c[[null],{}]", "c[[[1]],[]]", "p[1]", "s", "",
        'c[[[1]],{"scale":"x"}]', 'c[[[1]],{"scale":1e999}]', 'c[[[1]],{"scale":NaN}]', 'c[[[1]],{"":"x"}]', 'c[[[1]],{"self":"x"}]',
        'c[[[1]],{"numbers":[1]}]',
        'c[[[1]],{"a b":"x"}]', 'c[[[1]],{"\\ud800":"x"}]', 'c[[[1]],{"x":1}]', "c[[[1],1,2,3],{}]",
        "c[[[1]," + "1," * 100_000 + "1],{}]",
        "c[[[1]],{" + ",".join(f'"k{n}":"x"' for n in range(50_000)) + "}]", "c[[[" + "9" * 4_000 + "]],{}]", "c[[[" + "9" * 5_000 + "]],{}]",
        'g13:[["l",[0]],["d",{}]]', 'g3d:[["l",1],["t",[0]],["d",{}],["t",[1],[2]]]', "c[[" + "[" * 500 + "]" * 500 + "],{}]",
    ]  # fmt: skip
    seen: dict[str, int] = {}
    for text in nodes:
        for number in range(3):
            kind = host(40, f"{number}:{text}")[:1]
            seen[kind] = seen.get(kind, 0) + 1
    return seen


def test_a_function_of_the_host_gets_what_it_is_annotated_with_or_is_not_called():
    """Positional, by keyword, starred: of the right classes, of a bearable number."""
    seen = STRICT.spawn(call_with_everything).result(PATIENCE)
    assert set(seen) <= {"v", "e", "!", ""}
    assert STRICT.spawn(lambda: total([1, 2], 3, scale=2.0, name="xy")).result(PATIENCE) == 14


# --- folders ---


def attack_folder(folder: Dir) -> dict[str, str]:
    """Leave things in a folder that might harm later readers, or lead out of it."""
    root, found = str(folder), {}

    def attempt(name, act):
        try:
            found[name] = f"done {act()!r}"[:100]
        except Exception as error:
            found[name] = type(error).__name__

    def deep() -> int:
        os.chdir(root)
        path = root
        for n in range(300):
            path += "/d"
            try:
                os.mkdir(path)
            except OSError:
                return n
        return 300

    attempt("proc", lambda: os.symlink("/proc/self/mem", f"{root}/proc"))
    attempt("read proc", lambda: open(f"{root}/proc", "rb").read(10))
    attempt("up", lambda: os.symlink("..", f"{root}/up"))
    attempt("list up", lambda: os.listdir(f"{root}/up"))
    attempt("write up", lambda: open(f"{root}/up/written", "w").write("x"))
    attempt("loop", lambda: os.symlink("loop", f"{root}/loop"))
    attempt("open loop", lambda: open(f"{root}/loop"))
    attempt("link to outside", lambda: os.link("/etc/passwd", f"{root}/passwd"))
    attempt("hard link of a link", lambda: os.link(f"{root}/up", f"{root}/up2"))
    attempt("list hard link", lambda: os.listdir(f"{root}/up2"))
    attempt("rename out", lambda: os.rename(f"{root}/up", f"{root}/../up"))
    attempt("long", lambda: open(f"{root}/{'n' * 300}", "w"))
    attempt("longer", lambda: open(f"{root}/{'n/' * 3_000}", "w"))
    attempt("unicode", lambda: open(f"{root}/\u202egnp.exe\U0001f600", "w").write("x"))
    attempt("command", lambda: open(f"{root}/{ESCAPE}\n", "w").write("x"))
    attempt("nul", lambda: open(f"{root}/a\0b", "w"))
    attempt("dots", lambda: open(f"{root}/.../..././../../../../etc/passwd"))
    attempt("backslashes", lambda: open(f"{root}/..\\..\\etc\\passwd", "w").write("x"))
    attempt("absolute", lambda: open("//etc/passwd"))
    attempt("device", lambda: os.mknod(f"{root}/null") if hasattr(os, "mknod") else 1 / 0)
    attempt("mode", lambda: os.chmod(root, 0o4777))
    attempt("many", lambda: [open(f"{root}/f{n}", "w").close() for n in range(500)] and 500)
    attempt("deep", deep)
    attempt("huge", lambda: os.truncate(f"{root}/f1", 1 << 60))
    attempt("negative", lambda: os.truncate(f"{root}/f1", -1))
    attempt("many open", lambda: [open(f"{root}/f{n}") for n in range(500)] and 500)
    return found


def test_a_folder_is_all_that_a_process_reaches_and_changes(tmp_path):
    """Links, devices, names of every kind; and whatever it leaves can be looked at and removed."""
    (tmp_path / "granted").mkdir()
    (tmp_path / "secret").write_text("secret")
    folder = Dir(tmp_path / "granted", write=True)
    STRICT.spawn(lambda: (folder / "first").write_text("x")).result(PATIENCE)  # what is opened once for all
    before = len(os.listdir("/proc/self/fd"))
    found = STRICT.replace(timeout=PATIENCE).spawn(attack_folder, folder).result(PATIENCE)
    refused = {"read proc", "list up", "write up", "open loop", "link to outside", "list hard link", "rename out", "long", "longer", "nul",
               "dots", "absolute", "device"}  # fmt: skip
    assert {name for name in refused if found[name].startswith("done")} == set()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["granted", "secret"]
    assert not (tmp_path / "granted").stat().st_mode & 0o7000
    assert "\x1b" not in repr(folder) + str(list((tmp_path / "granted").iterdir()))
    until = time.monotonic() + 10
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < until:
        time.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) <= before


# --- mailboxes, groups, supervisors, executors ---


def flood(out, count: int) -> int:
    """Send as fast as possible, of all sizes."""
    sent = 0
    for n in range(count):
        with contextlib.suppress(Exception):
            sent += out.send("x" * (n % 5_000), timeout=0)
    return sent


@pytest.mark.parametrize("full", ["block", "fail", "drop_oldest"])
def test_a_mailbox_holds_what_it_says_whoever_floods_it(full):
    """From several processes at once."""
    before = resident()
    with Mailbox[str](messages=100, size=100_000, full=full) as inbox, ProcessGroup(STRICT) as group:
        for _ in range(3):
            group.spawn(flood, inbox.address, 3_000)
    assert resident() - before < 100 * MIB


def crash() -> None:
    """End at once."""
    os.abort()


def test_storms_of_crashes_end_a_supervisor_and_nothing_else():
    """Children that end by a fault at once, and a supervisor that may start them again often."""
    before = resident()
    supervisor = Supervisor(restarts=200, period=60, environment=STRICT)
    for n in range(4):
        supervisor.spawn(crash, name=f"child {n}")
    with pytest.raises(RestartsExceeded):
        supervisor.wait(timeout=2 * PATIENCE)
    supervisor.close()
    assert supervisor.children == ()
    assert resident() - before < 150 * MIB


def test_tasks_that_all_crash_are_as_many_failures():
    """An executor goes on."""
    with Executor(3, environment=STRICT) as executor:
        futures = [executor.submit(crash) for _ in range(60)]
        assert {type(future.exception()) for future in futures} == {ProcessFailed}
        assert executor.submit(pow, 2, 3).result() == 8


# --- variables ---


@pytest.mark.parametrize("name", ["", "A=B", "A\0", "\ud800", "=", "A\nB", "é", "x" * 100_000])
def test_variables_are_refused_or_arrive(name):
    """As they are."""
    if not name or set(name) & {"=", "\0", "\ud800"}:
        with pytest.raises(ValueError, match="cannot be a variable"):
            STRICT.replace(env={name: "v\n\x1b"})
        return
    environment = STRICT.replace(env={name: "v\n\x1b"})
    assert environment.spawn(lambda: dict(os.environ)).result(PATIENCE)[name] == "v\n\x1b"
    assert "\x1b" not in repr(environment)


# --- outcomes ---


class Fragile(Exception):
    """An exception whose `str` needs what a stranger need not give."""

    def __str__(self) -> str:
        return self.args[0]["reason"]


def raise_fragile() -> None:
    """Raise one without it."""
    raise Fragile(5)


OUTCOMES = {
    "a long int": lambda: 10**6_000,
    "ints in a dict": lambda: {"a": [10**6_000]},
    "surrogates": lambda: "\ud800",
    "not a number": lambda: [float("nan"), float("inf")],
    "deep": lambda: deep_list(5_000),
    "an exception that cannot be told": raise_fragile,
    "bytes": lambda: b"\x1b" * 100_000,
}


def deep_list(n: int) -> list[object]:
    """Return lists in lists."""
    value: list[object] = []
    for _ in range(n):
        value = [value]
    return value


@pytest.mark.parametrize("kind", OUTCOMES)
def test_every_outcome_is_json(kind):
    """Whatever the value or the error is."""
    outcome = STRICT.execute(OUTCOMES[kind])
    told = json.loads(outcome.to_json())
    assert set(told) >= {"value", "error", "stdout"}


# --- what is shown ---


def raise_import_error() -> None:
    """Name a module that the host would import to suggest another name."""
    error = ImportError("cannot import name", name="antigravity", path="/etc/passwd")
    vars(error).update(name_from="geohash", obj=5, _metadata=(1, 1, "x = 1"))
    with contextlib.suppress(AttributeError, TypeError):
        error.name_from = "geohash"
    raise error


def test_showing_an_error_imports_nothing_that_it_names():
    """From 3.12 on, `traceback` imports the module of an `ImportError` that has a `name_from`."""
    with pytest.raises(ImportError) as caught:
        STRICT.spawn(raise_import_error).result(PATIENCE)
    assert "antigravity" not in sys.modules
    traceback.format_exception(caught.value)
    assert "antigravity" not in sys.modules
    assert getattr(caught.value, "name_from", None) is None


def test_the_command_line_shows_what_a_stranger_returns_and_raises(tmp_path):
    """As text: the value as its repr."""
    path = tmp_path / "stranger.py"
    path.write_text(f"def value(): return [{ESCAPE!r}]\ndef fails(): raise ValueError(1)\n", encoding="utf-8")
    for target, code in (("value", 0), ("fails", 1)):
        command = [sys.executable, "-m", "capsend", "run", f"{path}:{target}"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=dict(os.environ)
        )
        assert done.returncode == code
        assert "\x1b" not in done.stdout + done.stderr


def test_there_are_as_many_attacks_as_were_promised():
    """Sixty kinds, and none was lost."""
    assert len(CELLS) >= 55
    assert Path(__file__).read_text(encoding="utf-8").count("\ndef test_") >= 15


def test_a_deep_record_is_shown_soon():
    """Also where somebody has raised the limit of recursion, as mypy does: a level does not look at all below it again."""
    limit, deep = sys.getrecursionlimit(), None
    for _ in range(5_000):
        deep = Record("R", {"a": deep})
    sys.setrecursionlimit(max(limit, 16_384))
    try:
        began = time.monotonic()
        assert repr(deep) == "R(a=R(a=R(a=R(a=R(a=R(a=R(a=R(...))))))))"
        assert time.monotonic() - began < 5
    finally:
        sys.setrecursionlimit(limit)
