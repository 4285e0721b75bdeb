"""Runs the examples of one library on the host, twice, and by `spawn`; the main program of a fresh interpreter.

$ python runner.py FOLDER OUT.json EVERY CURED PRELUDE PACKAGE [PACKAGE.MODULE ...]

With CURED, what is refused is run once more in the image that its cures name.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import json
import os
import pkgutil
import re
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

import doctests

import capsend
from capsend import CaptureError, Environment, Image, SerializationError

if TYPE_CHECKING:
    import types
    from collections.abc import Iterator

ENVIRONMENT = Environment(timeout=30, stdout=None, stderr=None)
IMAGE = re.compile(r'Image\(packages=\["([^"]+)"\]\)')
ADDRESS = re.compile(r"0x[0-9a-fA-F]+|(?<=id=)\d+")
SKIPPED = re.compile(r"(\.|^)_*tests?(\.|$)|__main__|conftest")


class Timeout(BaseException):
    """Something takes longer than anybody wants to wait."""


def modules(names: list[str]) -> Iterator[types.ModuleType]:
    """Import packages with all that is in them."""
    for name in names:
        package = importlib.import_module(name)
        yield package
        for info in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{name}.", onerror=lambda _: None):
            if not SKIPPED.search(info.name):
                with contextlib.suppress(Exception, SystemExit):
                    yield importlib.import_module(info.name)


def on_host(function: Any) -> tuple[str, ...]:
    """Call a function on the host."""
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(10)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tuple(ADDRESS.sub("0x", text) for text in function())
    finally:
        signal.alarm(0)


def _alarm(*_: object) -> None:
    raise Timeout


def echo(function: Any, environment: Environment = ENVIRONMENT) -> dict[str, Any]:
    """Return the row of one function."""
    try:
        here, again = on_host(function), on_host(function)
    except BaseException as error:
        return {"class": "host fails", "why": repr(error)[:300]}
    return spawned(function, here, again, environment)


def spawned(function: Any, here: tuple[str, ...], again: tuple[str, ...], environment: Environment) -> dict[str, Any]:
    """Return the row of a function of which the host's answers are known."""
    started = time.perf_counter()
    try:
        process = environment.spawn(function)
    except (CaptureError, SerializationError) as error:
        findings = [
            [f.kind.value, f.variable, f.leaves[0].verdict if f.leaves else "", f.leaves[0].cure if f.leaves else ""]
            for f in error.findings
        ]
        return {"class": "refused", "findings": findings, "text": str(error), "seconds": time.perf_counter() - started}
    except Exception as error:
        return {"class": "raw error", "why": f"{error!r}"[:500] + traceback.format_exc()[-1500:]}
    seconds = time.perf_counter() - started
    try:
        inside = tuple(ADDRESS.sub("0x", text) for text in process.result())
    except CaptureError as error:
        return {"class": "late", "findings": [["late", "", str(error), ""]], "text": str(error)}
    except BaseException as error:
        return {"class": "fails inside", "why": f"{error!r}"[:600], "cause": str(error.__cause__)[-2000:]}
    if inside == here:
        return {"class": "equal", "seconds": seconds, "items": len(here)}
    if here != again:
        return {"class": "unstable"}
    differing = [_from_difference(a, b) for a, b in zip(here, inside, strict=False) if a != b]
    return {"class": "differs", "differing": differing[:5], "lengths": [len(here), len(inside)]}


def _from_difference(here: str, inside: str) -> tuple[str, str]:
    """Return the parts of two texts that begin shortly before their first difference."""
    same = next((place for place, pair in enumerate(zip(here, inside, strict=False)) if pair[0] != pair[1]), 0)
    start = max(0, same - 50)
    return here[start : start + 300], inside[start : start + 300]


def cure(rows: dict[str, dict[str, Any]], functions: dict[str, Any]) -> None:
    """Follow the cures that name an image: note how the functions end in it that were refused."""
    refused = {name: row for name, row in rows.items() if row["class"] in {"refused", "late"}}
    packages = {package for row in refused.values() for package in IMAGE.findall(row["text"]) if _is_installed(package)}
    environment = Environment(timeout=60, stdout=None, stderr=None, image=Image(packages=sorted(packages)))
    for name, row in refused.items() if packages else ():
        if IMAGE.search(row["text"]):
            row["cured"] = echo(functions[name], environment)


def _is_installed(package: str) -> bool:
    """Return whether a package is installed: an example that imports a missing one is skipped."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.distribution(package))
    return False


def main() -> None:
    """Run everything."""
    folder, out, every, cured, prelude, *names = sys.argv[1:]
    folder, out = os.path.abspath(folder), os.path.abspath(out)
    sys.path.insert(0, folder)
    os.chdir(folder)
    assert capsend
    rows: dict[str, dict[str, Any]] = {}
    functions: dict[str, Any] = {}
    for module in {module.__name__: module for module in modules(names)}.values():
        written = doctests.write(module, Path(folder), prelude=prelude)
        if written is None:
            continue
        try:
            made = importlib.import_module(written[0])
        except Exception as error:
            rows[written[0]] = {"class": "host fails", "why": repr(error)[:300]}
            continue
        for group in written[1][:: int(every)]:
            name = f"{written[0]}.{group.function} {group.name}"
            functions[name] = getattr(made, group.function)
            rows[name] = echo(functions[name])
    if cured:
        cure(rows, functions)
    Path(out).write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
