"""The command line, as a user meets it: real commands in a Python of their own, with real processes."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from . import terminal_picture

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
SHOP = '''\
"""A module of a user's."""

import sys
import threading
from dataclasses import dataclass

PRICES = {"tea": 3}
LOCK = threading.Lock()


@dataclass(frozen=True)
class Item:
    name: str
    price: int


@dataclass
class Basket:
    items: list[Item]


def total(*prices: int, currency: str = "EUR") -> str:
    return f"{sum(prices)} {currency}"


def describe(thing: object) -> str:
    return f"{type(thing).__name__} {thing!r}"


def reprice(name: str, price: int) -> None:
    PRICES[name] = price


def price(name: str) -> int:
    return PRICES[name]


def locked() -> int:
    with LOCK:
        return 1


def broken(n: int) -> float:
    return 1 / n


def endless() -> None:
    while True:
        pass


def hungry() -> int:
    return len([bytes(1 << 20) for _ in range(4096)])


def leave() -> None:
    sys.exit(7)


def silent() -> None:
    print("said inside")


def unsendable() -> object:
    return [threading.Lock()]
'''


def line_of(text: str) -> int:
    """Return the number of the first line of the shop that contains a text."""
    return next(number for number, line in enumerate(SHOP.splitlines(), 1) if text in line)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    return tmp_path


@pytest.fixture
def capsend(shop: Path, template: object, mypy_caches: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in the shop's folder, with output to pipes."""
    environment = os.environ | {"MYPY_CACHE_DIR": str(mypy_caches / "command")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "capsend", *arguments]
        return subprocess.run(
            command, cwd=shop, env=environment, capture_output=True, text=True, timeout=250, check=False
        )

    return run


def on_a_terminal(*arguments: str, folder: Path, columns: int = 80) -> tuple[int, str]:
    """Run the command with a terminal as its standard output and error; return its exit code and what it wrote."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "50"}
    command = [sys.executable, "-m", "capsend", *arguments]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = terminal_picture.read_until_closed(ours)
    return process.wait(timeout=60), written


def test_run_prints_the_result_and_nothing_else(capsend) -> None:
    """The repr of the result is all of standard output; standard error is empty."""
    done = capsend("run", "math:factorial", "20")
    assert (done.stdout, done.stderr, done.returncode) == ("2432902008176640000\n", "", 0)


@pytest.mark.parametrize("target", ["shop:total", "shop.py:total", "./shop.py:total"])
def test_run_takes_a_module_or_a_file(capsend, target: str) -> None:
    """Both name the same function."""
    assert capsend("run", target, "1", "2").stdout == "'3 EUR'\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-3", "int -3"),
        ("[1, 2]", "list [1, 2]"),
        ("(1,)", "tuple (1,)"),
        ("'7'", "str '7'"),
        ("tea", "str 'tea'"),
        ("None", "NoneType None"),
        ("os.system", "str 'os.system'"),
    ],
)
def test_arguments_are_literals_or_else_strings(capsend, text: str, shown: str) -> None:
    """An argument is read as a Python literal; what is no literal is text."""
    assert capsend("run", "shop:describe", text).stdout == f"{shown!r}\n"


def test_name_equals_value_is_a_keyword_argument(capsend) -> None:
    """The text after NAME= is read like any argument."""
    assert capsend("run", "shop:total", "4", "currency=GBP").stdout == "'4 GBP'\n"


def test_output_of_the_process_is_output_of_the_command(capsend) -> None:
    """A function that prints and returns None leaves what it printed."""
    done = capsend("run", "shop:silent")
    assert (done.stdout, done.returncode) == ("said inside\n", 0)


def test_an_exception_shows_the_users_lines_and_none_of_ours(capsend, shop: Path) -> None:
    """The traceback names the user's file, line and source, not capsend's."""
    done = capsend("run", "shop:broken", "0")
    assert done.returncode == 1
    assert f'{shop / "shop.py"}", line {line_of("return 1 / n")}, in broken' in done.stderr
    assert "return 1 / n" in done.stderr
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "capsend" not in done.stderr.replace(str(shop), "")
    assert done.stdout == ""


def test_a_bad_capture_is_refused_before_anything_runs(capsend) -> None:
    """Exit code 3, the global by name, its place and the cure."""
    done = capsend("run", "shop:price", "tea")
    assert done.returncode == 3
    assert 'global "PRICES" is dict, which is not ProcessSend' in done.stderr
    assert f"shop.py:{line_of('return PRICES[name]')}" in done.stderr
    assert "Instead:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_result_that_cannot_be_sent_names_the_path(capsend) -> None:
    """The process ran, so it is a failure and not a refusal."""
    done = capsend("run", "shop:unsendable")
    assert done.returncode == 1
    assert "result[0] is lock" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shop:prise"], "shop has no prise. Did you mean price?"),
        (["shap:price"], "there is no module shap"),
        (["shop"], "is not of the form MODULE:NAME"),
        (["nowhere.py:f"], "there is no file nowhere.py"),
        (["shop:total", "mony=3"], "unexpected keyword argument 'mony'"),
        (["shop:PRICES"], "spawn needs a callable, not dict"),
        (["--memory", "1K", "shop:silent"], "--memory must be between"),
        (["--memory", "20M", "shop:silent"], "--memory must be at least"),
        (["--memory", "lots", "shop:silent"], "is not a size"),
        (["--memroy", "1G", "shop:silent"], "No such option '--memroy'"),
        (
            ["--timeout", "-1", "shop:silent"],
            "--timeout must be more than 0 and at most 31622400 s (a year), not -1.0\n",
        ),
        (["shop:silent", "--timeout", "3"], "Options of capsend, such as --timeout, come before MODULE:FUNCTION."),
    ],
)
def test_a_wrong_command_says_what_is_wrong(capsend, arguments: list[str], message: str) -> None:
    """Exit code 2, one clear message on standard error, no traceback."""
    done = capsend("run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_that_fails_shows_where(capsend, shop: Path) -> None:
    """The traceback of the user's module is shown without capsend's frames."""
    (shop / "bad.py").write_text("x = 1\ny = x / 0\n", encoding="utf-8")
    done = capsend("run", "bad:y")
    assert done.returncode == 2
    assert "line 2, in <module>" in done.stderr
    assert "bad cannot be imported: ZeroDivisionError: division by zero" in done.stderr
    assert "targets.py" not in done.stderr


def test_a_file_named_like_a_module_of_the_library_is_refused(capsend, shop: Path) -> None:
    """It could not be told from that module inside."""
    (shop / "json.py").write_text("def f(): return 1\n", encoding="utf-8")
    assert "the name json is taken by the standard library" in capsend("run", "./json.py:f").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--timeout", "0.3", "shop:endless"], "Give it more: --timeout"),
        (["--memory", "128M", "shop:hungry"], "Give it more: --memory"),
    ],
)
def test_a_limit_ends_the_process_with_exit_code_4(capsend, arguments: list[str], message: str) -> None:
    """Time and memory are limited."""
    done = capsend("run", *arguments)
    assert done.returncode == 4
    assert message in done.stderr


def test_sys_exit_inside_decides_the_exit_code(capsend) -> None:
    """SystemExit comes back as itself."""
    assert capsend("run", "shop:leave").returncode == 7


def test_ctrl_c_ends_the_process_and_the_command(shop: Path, template: object) -> None:
    """Exit code 130, and nothing but a word about it."""
    (shop / "busy.py").write_text(
        "def work():\n    print('started')\n    while True:\n        pass\n", encoding="utf-8"
    )
    command = [sys.executable, "-u", "-m", "capsend", "run", "busy:work"]
    with subprocess.Popen(command, cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        try:
            _, written = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (written, process.returncode) == ("capsend: interrupted\n", 130)


def test_explain_says_no_and_why_as_plain_text(capsend) -> None:
    """Without a terminal a line begins with yes or NO, and the cure is on a line below."""
    done = capsend("explain", "shop:price")
    assert done.returncode == 1
    assert done.stdout.splitlines()[:3] == [
        f"NO  price (shop.py:{line_of('def price')}) cannot be spawned: a value that it reaches cannot be sent",
        f"    NO  global PRICES (line {line_of('return PRICES')}): dict, which is not ProcessSend",
        "            dict is declared not sendable: mutable: a captured dict would silently become a copy",
    ]
    assert done.stdout.splitlines()[3].startswith("            Instead: ")


def test_explain_says_yes_and_why(capsend) -> None:
    """Captures that can be sent are listed too."""
    done = capsend("explain", "shop:leave")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"yes leave (shop.py:{line_of('def leave')}) can be spawned",
        f"    yes global sys (line {line_of('sys.exit')}): module, which the image has, so it goes by name",
    ]


def test_explain_shows_the_fields_of_a_class(capsend) -> None:
    """A class that may be captured, and one that may only be passed by value."""
    item, basket = capsend("explain", "shop:Item"), capsend("explain", "shop:Basket")
    assert "its instances may be captured and may be passed by value" in item.stdout
    assert "field name: str, which is ProcessSend and cannot be assigned again" in item.stdout
    assert "its instances may not be captured but may be passed by value" in basket.stdout
    assert "NO  field items: list[shop.Item], which is not ProcessSend" in basket.stdout
    assert (item.returncode, basket.returncode) == (0, 1)


def test_explain_draws_a_tree_on_a_terminal(shop: Path, template: object) -> None:
    """Lines of a tree, in colour."""
    code, written = on_a_terminal("explain", "shop:price", folder=shop)
    assert code == 1
    assert "└── " in written
    assert "\x1b[" in written


def test_include_prints_the_folder_of_the_header(capsend) -> None:
    """A compiler finds capsend.h, and a generator of bindings process.wit, in the folder that the command prints."""
    folder = Path(capsend("include").stdout.strip())
    assert {"capsend.h", "process.wit"} <= {path.name for path in folder.iterdir()}


def test_doctor_finds_no_problem_here(capsend) -> None:
    """Every line is ok, and processes were really run."""
    done = capsend("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line.startswith("ok") for line in done.stdout.splitlines())
    assert "its result came back" in done.stdout
    assert "an endless loop with a timeout of 0.2 s was ended" in done.stdout


def test_doctor_reports_a_cache_that_others_can_write_to(shop: Path, tmp_path: Path) -> None:
    """Loading an image runs it as native code: the problem, the cure and exit code 1."""
    images = tmp_path / "cache" / "images"
    images.mkdir(parents=True)
    images.chmod(0o777)
    environment = os.environ | {"CAPSEND_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "capsend", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1
    assert "PROBLEM cache" in done.stdout
    assert "chmod go-w" in done.stdout


def test_doctor_reports_a_cache_where_nothing_can_be_written(tmp_path: Path) -> None:
    """The doctor tries to write: in this test the folder above the cache is on a read-only file system."""
    environment = os.environ | {"CAPSEND_CACHE_DIR": "/proc/capsend"}
    command = [sys.executable, "-m", "capsend", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1
    assert "PROBLEM cache" in done.stdout
    assert "nothing can be written to /proc" in done.stdout
    assert "Set CAPSEND_CACHE_DIR to a folder of yours" in done.stdout


def test_images_are_listed_and_cleared(tmp_path: Path) -> None:
    """An empty cache says so, a damaged image is shown as such, and clearing tells how many went."""
    environment = os.environ | {"CAPSEND_CACHE_DIR": str(tmp_path)}

    def image(*arguments: str) -> str:
        command = [sys.executable, "-m", "capsend", "image", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout

    assert image("list") == f"no images in {tmp_path / 'images'}\n"
    damaged = tmp_path / "images" / "0123"
    damaged.mkdir(parents=True)
    (damaged / "image.json").write_text("{", encoding="ascii")
    assert "damaged" in image("list")
    assert image("clear") == "removed 1 image, 0 kB\n"
    assert image("list").startswith("no images")


def test_packages_built_for_processes_are_cleared_when_asked(tmp_path: Path) -> None:
    """A build takes minutes, so images are removed without it; the command names the option that removes all."""
    environment = os.environ | {"CAPSEND_CACHE_DIR": str(tmp_path)}
    kept = tmp_path / "native" / "wheels" / "sample-1.0-0123"
    kept.mkdir(parents=True)
    (kept / "wheel.json").write_text('{"name": "sample", "version": "1.0", "digest": "0123"}', encoding="ascii")

    def clear(*arguments: str) -> str:
        command = [sys.executable, "-m", "capsend", "image", "clear", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout

    assert clear().splitlines()[1] == "kept 1 package built for processes: capsend image clear --native removes it"
    assert kept.exists()
    assert clear("--native") == "removed 0 images and 1 package built for processes, 0 kB\n"
    assert not kept.exists()
    assert clear() == "removed 0 images, 0 kB\n"


def test_image_build_prints_the_file_it_built(capsend) -> None:
    """The path and the size, on standard output."""
    done = capsend("image", "build")
    assert done.returncode == 0
    assert "image.cwasm (" in done.stdout


def test_image_build_refuses_a_package_that_is_not_installed(capsend) -> None:
    """Names the package and says how to install it."""
    done = capsend("image", "build", "--package", "no-such-package")
    assert done.returncode == 1
    assert "no-such-package" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_reports_a_bad_capture_at_its_name(capsend, shop: Path) -> None:
    """The plugin's error is mypy's output, and its exit code is that of the command."""
    program = "from capsend import spawn\n\n\ndef main() -> None:\n    m = [42]\n    spawn(lambda: print(m))\n"
    (shop / "forum.py").write_text(program, encoding="utf-8")
    done = capsend("check", "forum.py")
    assert done.returncode == 1, done.stderr
    assert "forum.py:6" in done.stdout
    assert '"m" is list[int], which is not ProcessSend' in done.stdout


def test_explain_static_shows_what_the_plugin_thinks(capsend) -> None:
    """The same verdict, from the types, and the plugin's exit code."""
    done = capsend("explain", "--static", "shop:price")
    assert done.returncode == 1
    assert 'global "PRICES" is dict[str, int], which is not ProcessSend' in done.stdout


def test_audit_lists_every_promise(capsend, shop: Path) -> None:
    """The place, the class and the reason that was given."""
    program = "from capsend import unsafe_process_send\n\n\n@unsafe_process_send('only read')\nclass Table:\n    rows: list[int]\n"
    (shop / "tables.py").write_text(program, encoding="utf-8")
    done = capsend("audit", "tables.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "tables.py:4: Table: only read\n"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["run"],
        ["top"],
        ["explain"],
        ["demo"],
        ["doctor"],
        ["check"],
        ["audit"],
        ["image"],
        ["image", "build"],
        ["image", "list"],
        ["image", "clear"],
    ],
)
def test_help_has_an_example(capsend, command: list[str]) -> None:
    """Each command shows how it is used."""
    done = capsend(*command, "--help")
    assert done.returncode == 0
    assert "capsend " + " ".join(command[:1] or ["demo"]) in done.stdout.partition("Options:")[0].partition("\n")[2]


@pytest.fixture
def demonstration(capsend) -> str:
    """The output of the demonstration; `CAPSEND_DEMONSTRATION` names a file with the output of a run just before."""
    if written := os.environ.get("CAPSEND_DEMONSTRATION"):
        return Path(written).read_text(encoding="utf-8")
    done = capsend("demo")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_demo_shows_the_refusal_with_a_caret_below_the_name(demonstration: str) -> None:
    """The caret is below the captured name, then come the error and the cure; both cures run."""
    lines = demonstration.splitlines()
    place = next(number for number, line in enumerate(lines) if line.strip() == "^")
    column = lines[place].index("^")
    assert lines[place - 1][column] == "m"
    assert lines[place - 1][column + 1 :] == ")).result()"
    assert lines[place + 1] == '  CaptureError: captured "m" is list, which is not ProcessSend'
    assert lines[place + 3] == "  Instead: pass it as an argument, or capture tuple(m)."
    assert [line for line in lines if "prints: " in line] == [
        "  prints: Hello world [42]",
        "  prints: Hello world (42,)",
    ]


def test_demo_contains_hostile_functions(demonstration: str) -> None:
    """Memory, time, files and a crash have one line each, and no attack succeeded."""
    said = {line[:19].strip(): line[19:] for line in demonstration.splitlines() if line.startswith("  ")}
    assert "MemoryLimitExceeded after" in said["memory limit"]
    assert "TimeLimitExceeded after" in said["time limit"]
    assert said["files, network"].count("rror") == 4
    assert said["one process"].endswith("the process touched memory that it does not have")
    assert said["two beside it"] == "answer afterwards: 2 and 4"


def test_demo_gives_the_same_results_as_the_host(demonstration: str) -> None:
    """Every module is surveyed alike, and the figures are those that the README explains."""
    assert "Results of the processes and of the host: identical." in demonstration
    assert re.search(r"kept \d+\.\d of \d+ cores? busy$", demonstration, re.MULTILINE)
    assert re.search(r"\d+\.\d ms from spawn to result, a fresh process \(median of 51\)", demonstration)
    (memory,) = re.findall(r"(\d+\.\d) MB for one more live, idle process", demonstration)
    assert 0.3 < float(memory) < 3.0


def test_the_picture_of_the_refusal_is_what_a_terminal_shows(
    tmp_path: Path, template: object, mypy_caches: Path, monkeypatch
) -> None:
    """The README's picture is current: `python -m tests.commands.terminal_picture` would write the same file."""
    monkeypatch.setenv("MYPY_CACHE_DIR", str(mypy_caches / "command"))
    lines = terminal_picture.transcript(tmp_path.resolve())
    assert [line.plain for line in lines if "^" in line.plain] == [" " * 43 + "^"]
    committed = terminal_picture.PICTURE.read_text(encoding="utf-8")
    assert terminal_picture.drawn(lines) == committed, "draw it again: python -m tests.commands.terminal_picture"


def test_hook_of_pre_commit_checks_captures(tmp_path: Path, mypy_caches: Path) -> None:
    """In a project whose configuration names this repository, a bad capture stops the commit, with its name.

    `language: system` keeps pre-commit from installing the repository, which would need a network; `nox -s package` has it installed.
    """
    hooks, project = tmp_path / "capsend", tmp_path / "project"
    for folder in (hooks, project):
        folder.mkdir()
        git(folder, "init", "--quiet")
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    git(hooks, "add", ".")
    git(hooks, "commit", "--quiet", "-m", "hooks")
    commit = git(hooks, "rev-parse", "HEAD").strip()
    hook = "{id: capsend-check, language: system, additional_dependencies: []}"
    config = f"repos:\n  - repo: {hooks}\n    rev: {commit}\n    hooks:\n      - {hook}\n"
    (project / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
    program = SHOP.replace("import sys\n", "import capsend\nimport sys\n") + "\n\ncapsend.spawn(price, 'tea')\n"
    (project / "shop.py").write_text(program, encoding="utf-8")
    git(project, "add", ".")
    environment = os.environ | {
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "MYPY_CACHE_DIR": str(mypy_caches / "command"),
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    command = [sys.executable, "-m", "pre_commit", "run", "--color", "never"]
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'error: global "PRICES" is dict[str, int], which is not ProcessSend' in done.stdout


def git(folder: Path, *arguments: str) -> str:
    """Run git without user settings."""
    environment = os.environ | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout
