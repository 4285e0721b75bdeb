"""What several test modules share: the image, which is built once, and programs that run in a Python of their own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from capsend.image import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from capsend.engine import Template


# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def template() -> Template:
    """The default image, loaded."""
    from capsend.image import Image

    return Image().template()


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


@pytest.fixture
def copied(template, tmp_path, monkeypatch):
    """The built image, copied into a cache of its own."""
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
