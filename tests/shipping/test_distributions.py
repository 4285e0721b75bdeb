"""Code of installed distributions, which users do not edit: the cure for a refusal is an image, or a declaration file."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import capsend

SHELF = """
rows = []
def add(row): rows.append(row)
def size(): return len(rows)
class Shelf:
    made = 0
    def __init__(self): Shelf.made += 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that programs import from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def installed(folder: Path, name: str, **files: str) -> None:
    """Write a distribution as pip leaves it behind."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("".join(f"{Path(file).stem}\n" for file in files))
    for file, text in files.items():
        (info / file if "." in file else folder / f"{file}.py").write_text(textwrap.dedent(text))


def test_what_is_refused_of_a_distribution_is_cured_by_an_image(folder: Path) -> None:
    """Nobody edits a library: the cure is the image that has it."""
    installed(folder, "shelf-one", shelf_one=SHELF)
    (folder / "uses_shelf_one.py").write_text(
        "import shelf_one\ndef t(): return shelf_one.size(), shelf_one.Shelf().made\n"
    )
    import uses_shelf_one

    with pytest.raises(capsend.CaptureError) as refusal:
        capsend.check(uses_shelf_one.t)
    cures = {leaf.cure for finding in refusal.value.findings for leaf in finding.leaves}
    assert cures == {'add it to the image: Environment(image=Image(packages=["shelf-one"]))'}


def test_what_is_refused_of_the_users_own_module_is_cured_there(folder: Path) -> None:
    """A module that no distribution has is the user's, who can change it."""
    (folder / "shelf_two.py").write_text(SHELF)
    (folder / "uses_shelf_two.py").write_text("import shelf_two\ndef t(): return shelf_two.size()\n")
    import uses_shelf_two

    with pytest.raises(capsend.CaptureError, match="pass it as an argument, make it immutable, or declare it"):
        capsend.check(uses_shelf_two.t)


PROGRAM = """
import capsend, shelf_three
def t():
    shelf_three.Shelf()
    return shelf_three.size(), shelf_three.Shelf.made, shelf_three.rows == [1]
def adds():
    shelf_three.add(2)
    return shelf_three.size()
if __name__ == "__main__":
    shelf_three.add(1)
    print(capsend.spawn(t).result(), capsend.spawn(adds).result())
"""


def test_a_declaration_lets_each_process_have_its_own(folder: Path) -> None:
    """`NAME: PerProcess[...]` and `Class.attribute: PerProcess[...]` in a declaration file are as if the module said so."""
    (folder / "shelf_three.py").write_text(SHELF)
    declared = folder / "shelf_traits"
    declared.mkdir()
    (declared / "__init__.py").touch()
    (declared / "shelf_three.pyi").write_text(
        "from capsend_traits.marks import PerProcess\nrows: PerProcess[list[int]]\nShelf.made: PerProcess[int]\n"
    )
    info = folder / "shelf_traits-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf-traits\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[capsend.traits]\nshelf-traits = shelf_traits\n")
    (folder / "program.py").write_text(PROGRAM)
    ended = subprocess.run(
        [sys.executable, "program.py"], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.stdout.split("\n")[0] == "(1, 1, True) 2", ended.stderr
