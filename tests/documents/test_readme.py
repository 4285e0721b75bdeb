"""The README and the guide are programs: their files are written, their commands run, and the output shown is the output had."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import capsend

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ABI = Path(capsend.__file__).parent / "wasm" / "abi"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:#|//) ([\w./]+)\n")
ELSEWHERE = ("pip ", "pytest")


def blocks_of(document: Path) -> Iterator[tuple[str, str]]:
    """Yield (language, text) of every block."""
    for match in BLOCK.finditer(document.read_text(encoding="utf-8")):
        yield match[1], match[2]


def commands_of(console: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a console block with the lines shown below it."""
    for part in console.split("$ ")[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown.splitlines()


def run(command: str, folder: Path) -> list[str]:
    """Run a command with this Python's tools; return its lines, with the names of files relative to the folder."""
    arguments = shlex.split(command.replace("$(capsend include)", str(ABI)))
    first = {
        "python": [sys.executable],
        "mypy": [sys.executable, "-m", "mypy"],
        "capsend": [sys.executable, "-m", "capsend"],
    }
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "MYPY_FORCE_COLOR": "0"}
    done = subprocess.run(
        [*first[arguments[0]], *arguments[1:]],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
        check=False,
    )
    return done.stdout.replace(f"{folder}{os.sep}", "").splitlines()


def agrees(shown: list[str], had: list[str]) -> bool:
    """Compare lines; a line `...` matches any number of lines."""
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in shown)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in had)) is not None


DOCUMENTS = [
    ROOT / "README.md",
    *(
        ROOT / "docs" / name
        for name in ("tour.md", "guide.md", "source-text.md", "processes.md", "authority.md", "guests.md")
    ),
    *sorted((ROOT / "docs" / "cookbook").glob("*.md")),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_shows_what_really_happens(document: Path, tmp_path: Path, template: object) -> None:
    """Blocks are taken in order, in one folder: files are written, other Python is run, commands are run and compared."""
    if document.name == "guests.md":
        pytest.importorskip("ziglang", reason="there is no C compiler: pip install '.[guests]'")
    folder = tmp_path.resolve()
    (folder / "mypy.ini").write_text("[mypy]\nplugins = capsend_mypy\n", encoding="utf-8")
    for language, text in blocks_of(document):
        named = FILE.match(text)
        if language in {"python", "c"} and named:
            (folder / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / named[1]).write_text(text, encoding="utf-8")
        elif language == "python":
            (folder / "example.py").write_text(text, encoding="utf-8")
            assert run("python example.py", folder) == [], text
        elif language == "console":
            for command, shown in commands_of(text):
                if not command.startswith(ELSEWHERE):
                    had = run(command, folder)
                    assert agrees(shown, had), f"$ {command}\n" + "\n".join(had)


def test_what_the_documents_link_to_is_there() -> None:
    """Relative links lead to files of this repository."""
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_index_of_the_documentation_names_every_page() -> None:
    """A newcomer finds each of them from there."""
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / link).resolve() for link in re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8"))
    }
    assert {*index.parent.glob("*.md")} - {index} <= linked


def test_figures_of_the_first_screen_are_those_of_the_table() -> None:
    """The README repeats four of them; `python -m tests.bench.figures` writes both places."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"starts in (.+) and takes (.+); `multiprocessing` with spawn takes (.+) and (.+)\.", readme)
    spawn, memory, other_spawn, other_memory = said
    assert f"| {spawn} | `multiprocessing` spawn {other_spawn}," in table
    assert f"| {memory} | `multiprocessing` spawn {other_memory} |" in table
