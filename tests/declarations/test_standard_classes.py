"""Every class of the standard library gets one verdict from both checkers, and what is accepted comes back equal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

from tests import standard_classes

SCRIPT = Path(standard_classes.__file__)


@pytest.fixture(scope="module")
def actual(template) -> dict[str, dict[str, str]]:
    """Return {expression: {position: answer}} of the run time."""
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers: dict[str, dict[str, str]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def static(actual, tmp_path_factory, mypy_caches) -> dict[str, dict[str, str]]:
    """Return {expression: {position: error}} of the plugin, for what mypy knows and whose type it can infer."""
    folder = tmp_path_factory.mktemp("standard")
    (folder / "mypy.ini").write_text("[mypy]\nplugins = capsend_mypy\n")
    lines = [
        "from typing import TypeVar",
        "from capsend import spawn",
        "T = TypeVar('T')",
        "def take(value: T) -> None: ...",
    ]
    lines += [f"import {name}" for name in sorted({standard_classes.module_of(text) for text in actual})]
    starts: dict[int, str] = {}
    for number, text in enumerate(actual):
        lines += [
            f"def f{number}() -> None:",
            f"    value = {text}",
            "    spawn(lambda: id(value))",
            "    spawn(take, value)",
        ]
        starts[len(lines) - 2] = text
    (folder / "sample.py").write_text("\n".join(lines) + "\n")
    output = api.run(
        [f"--config-file={folder / 'mypy.ini'}", f"--cache-dir={mypy_caches / 'standard'}", str(folder / "sample.py")]
    )[0]
    errors = {int(m[1]): m[2] for m in re.finditer(r"^.*?:(\d+): error: (.*)$", output, re.MULTILINE)}
    return {
        text: {"capture": errors.get(line + 1, ""), "value": errors.get(line + 2, "")}
        for line, text in starts.items()
        if line not in errors
    }


def test_what_is_accepted_comes_back_equal(actual):
    """By value and as a capture, whatever the class; and nothing fails in another way than by a refusal."""
    assert len(actual) > 500
    different = {text for text, answers in actual.items() if standard_classes.DIFFERENT in answers.values()}
    assert different == set()


def test_plugin_and_run_time_agree_on_every_class(actual, static):
    """The plugin and the run time accept the same classes."""
    assert len(static) > 400
    gone = "the image's Python"
    differing = [
        (text, position, error, actual[text][position])
        for text, errors in static.items()
        for position, error in errors.items()
        if bool(error) is (actual[text][position] == standard_classes.SAME) and gone not in actual[text][position]
    ]
    assert differing == []


def test_no_class_written_in_python_is_called_one_in_c(static):
    """Only a stub is known of such a class, and the words say so."""
    assert not any("implemented in C" in error for errors in static.values() for error in errors.values())


def test_declared_class_of_a_package_travels_by_its_declaration(run_script, tmp_path):
    """Its class goes by name, its fields go along, and what comes back is of that class, whether or not a function names it."""
    info, traits = tmp_path / "geo-1.0.dist-info", tmp_path / "geo_traits"
    for made in (info, traits):
        made.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: geo\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[capsend.traits]\ngeo = geo_traits\n")
    (traits / "geo.pyi").write_text(
        "from capsend_traits.marks import ProcessSend\nclass Point(ProcessSend):\n    'immutable'\n"
    )
    (tmp_path / "geo.py").write_text("class Point:\n    def __init__(self, x):\n        self.x = [x]\n")
    done = run_script(
        """
        from capsend.shipping.ship import ship
        from geo import Point

        point = Point(3)
        knows = lambda name: name == "geo"
        shipment = ship(lambda: point.x, (), {}, knows=knows)
        print('["n","geo","Point"]' in shipment.program, ship(print, (point,), {}, knows=knows).call)
        print(shipment.resolve({"n": ["geo", "Point"]}), ship(lambda: 1, (), {}, knows=knows).resolve({"n": ["geo", "Point"]}))
        """
    )
    assert (done.stdout.count("<class 'geo.Point'>"), done.stdout[:5]) == (2, "True "), done.stderr


def test_standard_class_that_is_not_imported_is_said_to_be(run_script):
    """The host imports nothing because a process names it."""
    done = run_script(
        """
        import sys
        from capsend import spawn

        def make():
            import importlib
            return importlib.import_module("stat" + "istics").NormalDist(1, 2)

        try:
            print(spawn(make).result())
        except Exception as error:
            print(error, "statistics" in sys.modules)
        """
    )
    assert "statistics is not imported in this program" in done.stdout
    assert done.stdout.endswith("False\n")
