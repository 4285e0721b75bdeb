"""The table of branch coverage, from a run over a small package."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from covered import table


def test_branches_that_ran_are_counted_room_by_room(tmp_path: Path) -> None:
    """Lines and branches of a package with one room, of which a run takes one branch of two."""
    package = tmp_path / "house"
    (package / "room").mkdir(parents=True)
    (package / "__init__.py").write_text("TOP = 1\n")
    (package / "room" / "__init__.py").write_text("")
    (package / "room" / "steps.py").write_text(
        textwrap.dedent("""\
            def step(flag):
                if flag:
                    return 1
                return 2
            """)
    )
    (tmp_path / "run.py").write_text("import house\nfrom house.room.steps import step\nstep(True)\n")
    elsewhere = tmp_path / "elsewhere"  # Slipcover shortens the names of files below its working folder
    elsewhere.mkdir()
    options = ["--branch", "--json", "--out", "found.json", "--source", str(package)]
    subprocess.run([sys.executable, "-m", "slipcover", *options, tmp_path / "run.py"], cwd=elsewhere, check=True)
    lines = table(json.loads((elsewhere / "found.json").read_text()), [package.resolve()])
    found = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert found["house"] == ["100.0", "%", "-"]
    assert found["house/room"] == ["75.0", "%", "50.0", "%"]
    assert found["all"] == ["80.0", "%", "50.0", "%"]
