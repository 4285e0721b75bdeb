"""The uses of other projects beyond their promises are listed completely, one file per project, and a change is reported in a sentence."""

from __future__ import annotations

import ast
import ctypes
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from wasmtime import _bindings, _ffi

from capsend import versions
from capsend.engine import REFUSED_FEATURES, unpromised
from capsend.image import unpromised as unpromised_by_componentize

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "capsend" / "engine"


def used() -> tuple[set[str], set[str]]:
    """Return the names that the engine uses of `wasmtime._bindings`, and of `wasmtime._ffi`."""
    names: dict[str, set[str]] = {"_bindings": set(), "_ffi": set()}
    for path in ENGINE.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "wasmtime" and path.name != "unpromised.py"
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                names.get(imported.get(node.value.id, ""), set()).add(node.attr)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_quick":
                names["_bindings"].add(ast.literal_eval(node.args[0]))
    return {name.removeprefix("_") for name in names["_bindings"]}, names["_ffi"] - {"dll"}


def test_all_that_is_used_of_wasmtimes_c_interface_is_listed() -> None:
    """A new use needs its line: the text below is what to write."""
    bindings, constants = used()
    listed = unpromised.FUNCTIONS.keys() | unpromised.STRUCTURES.keys()
    missing = sorted(bindings - listed)
    functions = {name: unpromised.signature(_bindings, name) for name in missing if hasattr(_bindings, f"_{name}")}
    structures = {name: unpromised.layout(_bindings, name) for name in missing if name not in functions}
    assert not missing, f"add to FUNCTIONS {functions} and to STRUCTURES {structures}"
    switched_off = {f"wasmtime_config_{name}_set" for name in REFUSED_FEATURES}
    assert listed - switched_off <= bindings, "no longer used"
    assert constants == unpromised.CONSTANTS.keys(), {name: unpromised.constant(_ffi, name) for name in constants}


def test_the_installed_versions_are_as_they_were() -> None:
    """Nothing to say about those that the tests run with."""
    assert unpromised.changes() == []
    assert unpromised_by_componentize.changes() == []


def test_each_kind_of_change_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that went, one with other arguments, a structure with other offsets, a constant with another value, a lost member."""

    class Value(ctypes.Structure):
        _fields_ = [("of", ctypes.c_uint64), ("kind", ctypes.c_uint8)]

    monkeypatch.delattr(_bindings, "_wasmtime_store_new")
    monkeypatch.setattr(_bindings._wasmtime_trap_new, "argtypes", [ctypes.c_char_p])
    monkeypatch.setattr(_bindings, "wasmtime_component_val_t", Value)
    monkeypatch.setattr(_ffi, "WASMTIME_COMPONENT_STRING", ctypes.c_uint8(99))
    monkeypatch.setattr("wasmtime.Trap._from_ptr", None)
    gone, trap, value, string, member = unpromised.changes()
    assert gone == "wasmtime-py has the C function wasmtime_store_new no more."
    assert trap.startswith("wasmtime-py has the C function wasmtime_trap_new as (c_char_p) -> ")
    assert value.startswith(
        "wasmtime-py has the C type wasmtime_component_val_t as 16 bytes: of at 0, kind at 8, and had it as "
    )
    assert string.startswith("wasmtime-py has the constant WASMTIME_COMPONENT_STRING as 99, and had it as ")
    assert member == "wasmtime-py has no Trap._from_ptr any more."


def test_the_list_can_be_read_where_the_engine_cannot_be_imported() -> None:
    """With a version that lacks something the engine fails at its import, and the probe says what is missing."""
    done = subprocess.run(
        [sys.executable, "-I", str(ENGINE / "unpromised.py")], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("wasmtime-py has all parts as they were.\n", 0)
    assert "capsend" not in {
        name
        for node in ast.walk(ast.parse((ENGINE / "unpromised.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [(getattr(node, "module", None) or node.names[0].name).split(".")[0]]
    }


def test_versions_are_those_of_the_metadata() -> None:
    """`pyproject.toml` and the check at import name the same range."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for distribution, (first, beyond) in versions.TESTED.items():
        wanted = f"{distribution}>={'.'.join(map(str, first))},<{'.'.join(map(str, beyond))}"
        assert wanted in project["dependencies"]


@pytest.mark.parametrize("version", ["49.9.9", "51.0.0", "52.1.0.dev1"])
def test_a_version_that_was_not_tested_is_refused_at_import(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """The error names the version, the reason and the command; a variable lets it pass."""
    monkeypatch.delenv(versions.SWITCH, raising=False)
    monkeypatch.setattr(versions.importlib.metadata, "version", lambda _name: version)
    with pytest.raises(
        ImportError, match=rf"not tested with the installed {re.escape(version)}. .*pip install 'wasmtime>=50.0.1,<51'"
    ):
        versions.check("wasmtime")
    monkeypatch.setenv(versions.SWITCH, "1")
    assert versions.check("wasmtime") == version
