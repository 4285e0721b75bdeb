"""The distributions, built as a release builds them, without a network."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).parents[2]
ADDRESS = "https://example.org/someone/capsend"  # made up: a release knows its own


def run(*command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this Python."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | variables
    arguments = [sys.executable, "-m", *command]
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False
    )


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution as a release builds it, and the wheel that is built from it without knowing an address."""
    folder = tmp_path_factory.mktemp("dist")
    done = run("hatchling", "build", "-t", "sdist", "-d", str(folder), folder=ROOT, CAPSEND_ADDRESS=ADDRESS)
    assert done.returncode == 0, done.stderr
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    done = run(
        "hatchling", "build", "-t", "wheel", "-d", str(folder), folder=folder / source.name.removesuffix(".tar.gz")
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return source, wheel


def metadata_of(wheel: Path) -> Message:
    """Return the metadata of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_distributions_pass_the_checks_of_the_index(distributions: tuple[Path, Path]) -> None:
    """`twine check --strict` finds nothing to say."""
    done = run("twine", "check", "--strict", *map(str, distributions), folder=ROOT, NO_COLOR="1")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


def test_links_of_the_description_lead_to_the_repository(distributions: tuple[Path, Path]) -> None:
    """The index shows the README alone: each of its links is absolute, at the tag of the version, and its file is in the repository."""
    metadata = metadata_of(distributions[1])
    description = metadata.get_payload()
    assert isinstance(description, str)
    links = re.findall(r"\]\(([^)\s]+)\)", description)
    own = [link for link in links if link.startswith(ADDRESS)]
    assert [link for link in links if "://" not in link] == []
    assert len(own) > 10
    for link in own:
        kind, tag, path = link.removeprefix(f"{ADDRESS}/").split("/", 2)
        assert (kind, tag) == ("raw" if path.endswith(".svg") else "blob", f"v{metadata['Version']}")
        assert (ROOT / path.partition("#")[0]).is_file()
    assert f"Source, {ADDRESS}" in metadata.get_all("Project-URL", [])


def test_wheel_says_what_it_runs_on(distributions: tuple[Path, Path]) -> None:
    """The Pythons are those that are tested; the code is pure Python, and the system is named; every classifier is one of the index's."""
    from trove_classifiers import classifiers

    named = metadata_of(distributions[1]).get_all("Classifier", [])
    assert set(named) <= classifiers
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    (pythons,) = re.findall(r"^PYTHONS = \[(.*)\]$", noxfile, re.MULTILINE)
    assert re.findall(r'"(.+?)"', pythons) == [each[-4:] for each in named if re.search(r"Python :: 3\.\d+$", each)]
    assert [each for each in named if each.startswith("Operating System")] == ["Operating System :: POSIX :: Linux"]
    assert distributions[1].name.endswith("-py3-none-any.whl")


def test_wheel_has_every_file_of_the_packages(distributions: tuple[Path, Path]) -> None:
    """None is left out that the image or the plugin needs, and nothing of the tests is in it."""
    with zipfile.ZipFile(distributions[1]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set()
    for package in (ROOT / "capsend", ROOT / "plugin" / "capsend_mypy", ROOT / "stubs" / "capsend_traits"):
        files = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        expected |= {path.relative_to(package.parent).as_posix() for path in files}
    assert names == expected


def test_citation_names_the_version_of_the_project() -> None:
    """A release changes both."""
    project = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert project is not None
    assert citation is not None
    assert project[1] == citation[1]
