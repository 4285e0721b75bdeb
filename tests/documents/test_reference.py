"""The reference explains every public name, and the docstrings every parameter."""

from __future__ import annotations

import importlib
import inspect
import pydoc
import re
from pathlib import Path
from typing import Any

import pytest

import capsend

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
ENTRY = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)
RECEIVERS = frozenset({"self", "cls"})
QUOTED = re.compile(r"`([\w.]+)`")
MADE_BY_CAPSEND = frozenset(
    {
        "Actor",
        "Address",
        "Node",
        "Process",
        "Snapshot",
        "SourceFunction",
        "Stream",
        "Timer",
        "WasmFunction",
        "WasmModule",
    }
)
"""Classes that have no public constructor, or class methods in its place."""


def resolve(name: str) -> Any:
    """Return the object with a full name."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            found = inspect.getattr_static(found, part)
        return found
    raise LookupError(name)


ENTRIES = [name for page in sorted(REFERENCE.glob("*.md")) for name in ENTRY.findall(page.read_text(encoding="utf-8"))]
PUBLIC = sorted(
    {*capsend.__all__, *(name for name in dir(capsend) if name in capsend._LATER or name in capsend._MODULES)}
)


def acts(entry: str) -> list[tuple[str, Any, str]]:
    """Return what is called of an entry as (name, callable, the docstring of its class)."""
    found = resolve(entry)
    if inspect.ismodule(found):
        functions = vars(found).values()
        return [
            (f"{entry}.{each.__name__}", each, "")
            for each in functions
            if inspect.isfunction(each) and each.__module__ == entry and each.__name__[0] != "_"
        ]
    if not inspect.isclass(found):
        return [(entry, found, "")] if inspect.isroutine(found) else []
    own = inspect.getdoc(found) or ""
    is_made = (
        found.__name__ not in MADE_BY_CAPSEND
        and not issubclass(found, BaseException)
        and not getattr(found, "_is_protocol", False)
    )
    made = [(entry, found, own)] if is_made else []
    for name, each in vars(found).items():
        function = each.__func__ if isinstance(each, (classmethod, staticmethod)) else each
        if inspect.isfunction(function) and not name.startswith("_"):
            made.append((f"{entry}.{name}", function, own))
    return made


def text_of(name: str, act: Any, own: str) -> str:
    """Return the docstring of something that is called, its class's, and those that it refers to, as in "see `Address.send`"."""
    texts, queue, seen = [own], [(name, act)], set()
    while queue:
        known_as, each = queue.pop()
        if known_as not in seen:
            seen.add(known_as)
            texts.append(each.__doc__ or "")
            for quoted in QUOTED.findall(texts[-1]):
                sibling = f"{known_as.rpartition('.')[0]}.{quoted}"
                queue += [
                    (known, other) for known, other, _ in ACTS if known == sibling or known.endswith(f".{quoted}")
                ]
    return "\n".join(texts)


ACTS = [act for entry in ENTRIES for act in acts(entry)]


def test_every_public_name_has_an_entry() -> None:
    """By the object: an entry names the module that defines it."""
    explained = [resolve(entry) for entry in ENTRIES]
    missing = [name for name in PUBLIC if not any(getattr(capsend, name) is each for each in explained)]
    assert missing == ["spawn", "stream"]  # whose entries are their calls
    assert {"capsend.spawning._Spawn.__call__", "capsend.streams._Stream.__call__"} <= set(ENTRIES)


@pytest.mark.parametrize("act", [capsend.spawn, capsend.stream])
def test_help_describes_the_call(act: Any) -> None:
    """Not the class that the object is of."""
    assert pydoc.render_doc(act).count(f"{inspect.getdoc(type(act).__call__)}".partition("\n")[0]) == 1


@pytest.mark.parametrize(("name", "act", "own"), ACTS, ids=[name for name, _, _ in ACTS])
def test_every_parameter_is_explained(name: str, act: Any, own: str) -> None:
    """The parameter's name is in the docstring of the function or class, or in one that it refers to."""
    text = text_of(name, act, own)
    try:
        parameters = inspect.signature(act).parameters
    except ValueError:
        return
    words = set(re.findall(r"\w+", text))
    assert set(parameters) - RECEIVERS - words == set()
