"""The libraries whose examples are run, and how: they come from PyPI when the tests run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True)
class Library:
    """One distribution.

    Attributes:
        requirement: what pip installs.
        packages: the packages and modules whose docstrings are read.
        needs: what else pip installs with it.
        prelude: imports that its examples take for granted.
        every: 1 for every docstring, 3 for every third one.
        own: the instances that a declaration file of the user lets each process change its own of, as cures propose.
    """

    requirement: str
    packages: tuple[str, ...]
    needs: tuple[str, ...] = ()
    prelude: str = ""
    every: int = 1
    own: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the distribution."""
        return self.requirement.partition("=")[0]


SMALL: Final = (Library("inflection==0.5.1", ("inflection",)), Library("semver==3.0.4", ("semver",)))
MANY: Final = (
    Library("more-itertools==10.8.0", ("more_itertools",)),
    Library("toolz==1.1.0", ("toolz",)),
    Library("boltons==25.0.0", ("boltons",)),
    Library("sortedcontainers==2.4.0", ("sortedcontainers",)),
    Library("pyrsistent==0.20.0", ("pyrsistent",)),
    Library("pydash==8.0.5", ("pydash",), ("typing_extensions",)),
    Library("networkx==3.5", ("networkx.algorithms", "networkx.classes"), prelude="import networkx as nx", every=4),
    Library("petl==1.7.17", ("petl",), every=2),
    Library("humanize==4.14.0", ("humanize",)),
    Library("tabulate==0.9.0", ("tabulate",)),
    Library("natsort==8.4.0", ("natsort",)),
    Library("voluptuous==0.15.2", ("voluptuous",)),
    Library("xmltodict==1.0.2", ("xmltodict",)),
    Library("dictdiffer==0.9.0", ("dictdiffer",)),
    Library("mpmath==1.3.0", ("mpmath",), prelude="from mpmath import *", every=8, own=("mp", "fp", "iv")),
    Library("glom==24.11.0", ("glom",), ("boltons", "attrs", "face")),
)


def install(library: Library, folder: Path) -> Path:
    """Install a library into a separate folder, which is not a folder of packages, as pure Python if there is such a wheel; return the folder."""
    target = folder / library.name
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(target)]
    pure = ["--only-binary=:all:", "--platform", "any", "--implementation", "py", "--abi", "none"]
    wanted = [library.requirement, *library.needs]
    done = subprocess.run([*command, *pure, *wanted], check=False, capture_output=True, text=True)
    if done.returncode:
        subprocess.run([*command, *wanted], check=True, capture_output=True, text=True)
    if library.own:
        declare(library, target)
    return target


def declare(library: Library, folder: Path) -> None:
    """Write the declarations that cures propose, as a distribution of their own."""
    (module,) = library.packages
    package = folder / "own_traits" / module
    package.mkdir(parents=True)
    lines = [f"{name}: PerProcess[object]" for name in library.own]
    (package / "__init__.pyi").write_text("\n".join(["from capsend_traits.marks import PerProcess", "", *lines, ""]))
    (package.parent / "__init__.py").touch()
    metadata = folder / "own_traits-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own-traits\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[capsend.traits]\n{module} = own_traits\n")


def run(library: Library, target: Path, *, cured: bool = False) -> dict[str, dict[str, Any]]:
    """Return {function and docstring: row} of the examples of a library that is installed in a folder.

    Args:
        library: the library.
        target: the folder.
        cured: whether what is refused is run again in the image that its cures name.
    """
    out = target / "rows.json"
    here = Path(__file__).parent
    options = [str(library.every), "cured" if cured else "", library.prelude]
    command = [sys.executable, str(here / "runner.py"), str(target), str(out), *options]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [*command, *library.packages], env=environment, check=False, capture_output=True, text=True, timeout=3000
    )
    if not out.exists():
        raise RuntimeError(f"{library.name}: {ended.stderr[-3000:]}")
    rows: dict[str, dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    return rows
