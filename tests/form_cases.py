"""The programs of `forms/*.test`, read and loaded.

A program begins with `[case] NAME`. In it, `TARGET` is the function to spawn, with `ARGS` if there are any. `[refused]
REGEX` must match the message of the refusal, `[raises] REGEX` the traceback of the result; without either, the result
equals that of an ordinary call. If there is a `CHANGE`, `TARGET` is spawned twice, `CHANGE` is called, and the spawn
after that counts. `[python] VERSION` is the first version that can compile the program; `[file] PATH` begins another
file.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pprint
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen
class Case:
    """One program.

    Attributes:
        name: its name, which is also its rule.
        source: its text.
        files: {path: text} of the modules that it imports.
        refused: what the refusal matches; empty when it is taken.
        raises: what the traceback of its result matches; empty when it has one.
        python: the first Python version that can compile it.
    """

    name: str
    source: str
    files: dict[str, str]
    refused: str
    raises: str
    python: tuple[int, ...]


def read_cases() -> Iterator[Case]:
    """Read all programs."""
    for path in sorted((Path(__file__).parent / "forms").glob("*.test")):
        for block in re.split(r"(?m)^\[case\] ", path.read_text(encoding="utf-8"))[1:]:
            name, _, text = block.partition("\n")
            options = dict(re.findall(r"(?m)^\[(refused|raises|python)\] (.*)\n", text))
            text = re.sub(r"(?m)^\[(refused|raises|python)\] .*\n", "", text)
            source, *files = re.split(r"(?m)^\[file\] (\S+)\n", text)
            python = tuple(map(int, options.get("python", "3.11").split(".")))
            yield Case(
                name,
                source,
                dict(zip(files[::2], files[1::2], strict=True)),
                options.get("refused", ""),
                options.get("raises", ""),
                python,
            )


CASES = list(read_cases())


def load(case: Case, folder: Path) -> Any:
    """Write a program and import it."""
    for path, text in case.files.items():
        sys.modules.pop(Path(path).stem, None)  # another test may have imported a library's module of the name
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / f"form_{case.name}.py").write_text(case.source, encoding="utf-8")
    return importlib.import_module(f"form_{case.name}")


def expected_of(module: Any) -> Any:
    """Return the result of a call on the host."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Python 3.13 announces what `partial` does in the guest's 3.14
        expected = module.TARGET(*getattr(module, "ARGS", ()))
    return asyncio.run(expected) if inspect.iscoroutine(expected) else expected


def assert_equal(result: Any, expected: Any) -> None:
    """Equal, and of the same types all the way down, as far as repr shows it."""
    assert result == expected
    # Line by line, which puts sets in order: that of texts differs from one Python to the next.
    assert pprint.pformat(result, width=1, sort_dicts=False) == pprint.pformat(expected, width=1, sort_dicts=False)
