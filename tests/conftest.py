"""Shared by several test modules: the image, built once, and programs that run in a separate Python."""

from __future__ import annotations

import gc
import importlib.util
import inspect
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
from hypothesis import settings

from capsend.image import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from capsend import Cluster, Process
    from capsend.engine import Template


# Every process of the tests, including those of programs that they start, compares its rebuilt objects with the host's
# description.
os.environ["CAPSEND_COMPARE"] = "1"

# Tests of generated values have no time limit of their own: a machine that pauses for a moment would fail them.
settings.register_profile("capsend", deadline=None)
settings.load_profile("capsend")

# Slipcover measures this worker (`covered.py`), and not the runs of pytest that tests start. It writes its file at the end, if it finds these.
MEASURED: Final = {
    name: os.environ.pop(name)
    for name in list(os.environ)
    if name.startswith("SLIPCOVER_") and "PYTEST_XDIST_WORKER" in os.environ
}


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Give Slipcover its variables back."""
    os.environ.update(MEASURED)


# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


SLOWEST: Final = (
    "test_plugin_incremental", "test_hostile", "test_echo", "test_agreement", "test_forms_inside", "test_packages", "test_plugin_command",
    "test_readme", "test_hostile_sessions", "test_libraries", "test_every_step", "test_cli", "test_libc_guest", "test_examples",
    "test_declarations", "test_plugin", "test_standard_classes", "test_plugin_check", "test_cost_of_decoding", "test_native",
    "test_other_checkers",
)  # fmt: skip
"""The slowest files, which run first, so that no worker is left with one while the other is idle."""


NEEDS: Final = {
    "/proc/": Path("/proc/self").exists(),
    "os.fork": hasattr(os, "fork"),
    "os.mkfifo": hasattr(os, "mkfifo"),
    "os.kill": os.name == "posix",
    "symlink_to": os.name == "posix",
    "cpu=": hasattr(time, "pthread_getcpuclockid"),
    "snapshot(": Path("/proc/self/pagemap").exists(),
    ".fork(": Path("/proc/self/pagemap").exists(),
}
"""{text in the source of a test: whether this system has what it uses}; see `docs/platforms.md`."""

MISSING_MODULES: Final = tuple(name for name in ("fcntl", "pty", "resource") if importlib.util.find_spec(name) is None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the slowest files begin, and skip what this system has not."""
    places = {name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
    lacking = [text for text, is_there in NEEDS.items() if not is_there]
    for item in items if lacking else ():
        source = inspect.getsource(item.function) if isinstance(item, pytest.Function) else ""
        for text in lacking:
            if text in source:
                item.add_marker(pytest.mark.skip(reason=f"this system has nothing for {text!r}"))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out files that cannot be imported on this system."""
    if MISSING_MODULES and collection_path.suffix == ".py":
        text = collection_path.read_text(encoding="utf-8")
        if any(f"\nimport {name}\n" in text for name in MISSING_MODULES):
            return True
    return None


def pytest_report_header() -> list[str]:
    """Name what this system has not."""
    lacking = [*MISSING_MODULES, *(text for text, is_there in NEEDS.items() if not is_there)]
    return [f"skipped on this system: tests of {', '.join(lacking)}"] if lacking else []


@pytest.fixture(autouse=True, scope="module")
def _small_heap() -> None:
    """Set aside the objects left by earlier modules, such as mypy's: a test that collects garbage would traverse them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _not_compared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the comparison out where a test says why."""
    if request.node.get_closest_marker("not_compared") is not None:
        monkeypatch.delenv("CAPSEND_COMPARE")


@pytest.fixture(scope="session")
def template() -> Template:
    """The default image, loaded."""
    from capsend.image import Image

    return Image().template()


@pytest.fixture(scope="session")
def shared_cluster(template) -> Iterator[Cluster]:
    """Two nodes on this machine; no pause of the machine is a loss."""
    from capsend import Cluster

    with Cluster.local(2, lost_after=300.0) as cluster:
        yield cluster


@pytest.fixture
def two_nodes(shared_cluster) -> Cluster:
    """A cluster that all tests share. No test may end a node of it; who finds one ended says why."""
    assert len(shared_cluster.nodes) == 2, shared_cluster._home.switch.gone
    return shared_cluster


EVERYWHERE = os.environ.get("CAPSEND_EVERYWHERE") == "1"
"""True if all tests that can run on nodes also run there; set by `nox -s everywhere`."""

ON_NODES = frozenset({"test_calls", "test_group"})
"""The files whose tests always run on nodes, too."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with the fixture `everywhere` in this program and on a cluster, except those marked as about one program."""
    if "everywhere" in metafunc.fixturenames:
        is_here = any(mark.name == "here" for mark in metafunc.definition.iter_markers())
        is_here |= not (EVERYWHERE or Path(str(metafunc.module.__file__)).stem in ON_NODES)
        metafunc.parametrize("everywhere", ["here"] if is_here else ["here", "cluster"], indirect=True)


@pytest.fixture
def everywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test twice: with its processes in this program, and with all of them on nodes."""
    if request.param == "cluster":
        from capsend.environment import Prepared

        cluster, start = request.getfixturevalue("two_nodes"), Prepared.start

        def start_there(self: Prepared) -> Process[Any]:
            there = self.environment if self.environment.on is not None else self.environment.replace(on=cluster)
            return start(attrs.evolve(self, environment=there))

        monkeypatch.setattr(Prepared, "start", start_there)
    return str(request.param)


@pytest.fixture
def run_script(tmp_path, template) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program, given as text, as a script in a fresh interpreter."""

    def run(source: str, *, timeout: float = 120, **options: object) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        command = [sys.executable, str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)

    return run


@pytest.fixture(scope="session")
def mypy_caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for caches of mypy's, one for each configuration: what holds for the standard library is found out once, not by each test."""
    return tmp_path_factory.mktemp("mypy_caches")


@pytest.fixture(scope="session")
def checked(mypy_caches: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run mypy, strict and with the plugin, on programs of a folder."""

    def check(folder: Path, *programs: str | Path, settings: str = "") -> subprocess.CompletedProcess[str]:
        (folder / "mypy.ini").write_text(f"[mypy]\nplugins = capsend_mypy\nstrict = true\n{settings}", encoding="utf-8")
        cache = f"--cache-dir={mypy_caches / 'strict'}"
        command = [sys.executable, "-m", "mypy", "--config-file=mypy.ini", cache, *programs]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    return check


@pytest.fixture
def copied(template, tmp_path, monkeypatch):
    """The built image, copied into a separate cache."""
    source = Image().path.parent
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path))
    folder = Image().path.parent
    folder.parent.mkdir(mode=0o700)
    shutil.copytree(source, folder)
    folder.chmod(0o700)
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to import modules from, which are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
