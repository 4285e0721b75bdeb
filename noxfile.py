"""The sessions that contributors and the continuous integration share; `nox -l` lists them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
# Each file is one worker's: what a file makes once, such as one run of mypy over hundreds of programs, is made once.
PYTEST = ("pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and the direction of imports."""
    session.install(".[dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly, with capsend's own plugin."""
    session.install(".[dev]")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests in the default Python; arguments after `--` go to pytest."""
    session.install(".[dev]")
    session.run(*PYTEST, *session.posargs)


@nox.session(python=PYTHONS)
def every_python(session: nox.Session) -> None:
    """Run the tests in each Python that is supported and installed."""
    session.install(".[dev]")
    session.run(*PYTEST, *session.posargs)


@nox.session
def everywhere(session: nox.Session) -> None:
    """Run the tests of messages, lifetimes, groups, executors and supervisors on nodes as well, and all programs inside a process."""
    session.install(".[dev]")
    files = (
        "tests/mailbox",
        "tests/acts",
        "tests/runtime/test_forms_inside.py",
        "tests/security/test_hostile_sessions.py",
    )
    session.run(*PYTEST, *files, *session.posargs, env={"CAPSEND_EVERYWHERE": "1"})


@nox.session
@nox.parametrize("mypy", ["2.4.0", "newest"])
def mypys(session: nox.Session, mypy: str) -> None:
    """Run the plugin's tests with the oldest mypy that is allowed, and with the newest on PyPI, whatever `pyproject.toml` says."""
    session.install(".[dev]")
    session.install("--upgrade", "mypy" if mypy == "newest" else f"mypy=={mypy}")
    session.run("pytest", "-n", "2", "--dist", "loadfile", "tests/plugin", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure the branch coverage of the host's code and the plugin's; there is no gate."""
    session.install(".[dev]")
    session.run("python", "-P", "tests/covered.py", *PYTEST[1:], *session.posargs)


@nox.session
def integrations(session: nox.Session) -> None:
    """Test the examples of integrations and the boundaries of other tools with all packages, those too that `.[dev]` leaves out for their size."""
    session.install(".[boundaries,dev,integrations]")
    tests = ("tests/documents/test_integrations.py", "tests/plugin/test_plugin_boundaries.py")
    session.run("pytest", "-n", "0", *tests, *session.posargs)


@nox.session
def cluster(session: nox.Session) -> None:
    """Test nodes in the long forms: all cuts of links, and so many messages and tasks that what grows is seen."""
    session.install(".[dev]")
    session.run("pytest", "-n", "0", "tests/cluster", *session.posargs, env={"CAPSEND_CLUSTER": "1"})


@nox.session
def ray(session: nox.Session) -> None:
    """Test nodes on a real Ray cluster of three nodes on this machine; Ray takes 285 MB."""
    session.install(".[dev,ray]")
    session.run("pytest", "-n", "0", "tests/cluster/test_ray.py", *session.posargs, env={"CAPSEND_RAY": "1"})


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into `.site/html`; a warning or a dead link is an error."""
    session.install(".[docs]")
    session.run("mkdocs", "build", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def newest(session: nox.Session) -> None:
    """Run the tests with the newest wasmtime, componentize-py and mypy, whatever the pins say, and name what these have changed."""
    session.install(".[dev]")
    session.install("--upgrade", "--no-deps", "wasmtime", "componentize-py", "mypy")
    session.env["CAPSEND_ANY_VERSION"] = "1"
    # By its path: with a version that lacks something, the package cannot be imported.
    session.run("python", "capsend/engine/unpromised.py", success_codes=[0, 1])
    session.run("python", "-m", "capsend.image.unpromised", success_codes=[0, 1])
    session.run(*PYTEST, *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build both distributions into `dist/`, check them, and run the wheel and the hook for pre-commit in fresh environments."""
    session.install("hatchling", "twine", "pre-commit")
    distributions = Path(session.create_tmp()) / "dist"
    shutil.rmtree(distributions, ignore_errors=True)
    session.run("python", "-m", "hatchling", "build", "-d", str(distributions))
    session.run("twine", "check", "--strict", *map(str, distributions.iterdir()))
    (wheel,) = distributions.glob("*.whl")
    session.run("python", "-m", "venv", "--clear", str(distributions.parent / "fresh"))
    fresh = distributions.parent / "fresh" / ("Scripts" if os.name == "nt" else "bin")
    session.run(str(fresh / "python"), "-m", "pip", "install", "--quiet", str(wheel), external=True)
    session.run(str(fresh / "capsend"), "doctor", external=True)
    session.run(str(fresh / "capsend"), "run", "math:factorial", "20", external=True)
    session.run("pre-commit", "try-repo", ".", "capsend-check", "--files", "examples/word_index/index.py")
    shutil.copytree(distributions, "dist", dirs_exist_ok=True)


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks beside their peers."""
    session.install(".[bench,dev]")
    session.run("python", "-m", "tests.bench", *session.posargs)
