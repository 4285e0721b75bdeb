"""The plugin's uses of mypy beyond mypy's promises: the table is complete, and a mypy that lacks one of them is refused in a sentence."""

from __future__ import annotations

import ast
from pathlib import Path

import capsend_mypy
import pytest
from capsend_mypy import unpromised
from capsend_mypy.unpromised import Use
from mypy.errors import CompileError

PLUGIN = Path(capsend_mypy.__file__).parent
HOLDERS = {
    "checker": "mypy.checker:TypeChecker",
    "expr_checker": "mypy.checkexpr:ExpressionChecker",
    "tscope": "mypy.scope:Scope",
    "msg": "mypy.messages:MessageBuilder",
    "errors": "mypy.errors:Errors",
    "semantic": "mypy.semanal:SemanticAnalyzer",
    "analyser": "mypy.typeanal:TypeAnalyser",
}
"""{variable or attribute: the class of mypy that the plugin holds in it}."""
PROMISED = {("mypy.typeanal:TypeAnalyser", "api")}
"""The declared parts of `mypy.plugin`."""


def test_the_installed_mypy_has_all_that_is_used() -> None:
    """The probe finds nothing missing in a mypy that the plugin allows."""
    assert unpromised.missing() == ""


@pytest.mark.parametrize(
    ("table", "use", "sentence"),
    [
        (
            "ATTRIBUTES",
            Use("mypy.checker:TypeChecker", ("tree", "gone"), "the place of a spawn"),
            "its `mypy.checker.TypeChecker` has no `gone`, which gives the place of a spawn",
        ),
        (
            "PARAMETERS",
            Use("mypy.messages:MessageBuilder.fail", ("code", "gone"), "codes"),
            "its `mypy.messages.MessageBuilder.fail` has no parameter `gone`, which gives codes",
        ),
        (
            "ATTRIBUTES",
            Use("mypy.checker:Gone", ("tree",), "the place of a spawn"),
            "it has no `mypy.checker.Gone`, which gives the place of a spawn",
        ),
    ],
)
def test_a_changed_mypy_is_refused_in_a_sentence(
    table: str, use: Use, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mypy that lacks a part is refused when the plugin is loaded: the message names the part and its purpose."""
    monkeypatch.setattr(unpromised, table, (*getattr(unpromised, table), use))
    with pytest.raises(CompileError) as caught:
        capsend_mypy.plugin("2.9.0")
    assert caught.value.messages == [
        f"capsend_mypy does not support mypy 2.9.0: {sentence}. Install a supported one: pip install 'capsend[mypy]'."
    ]


def test_all_that_is_used_of_mypys_checker_stands_in_the_table() -> None:
    """No module of the plugin reads an attribute of mypy's checker, messages, errors or analysers that the probe does not ask for."""
    listed = {(use.owner, name) for use in unpromised.ATTRIBUTES for name in use.names} | PROMISED
    used = set()
    for file in PLUGIN.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                base = node.value
                held = base.id if isinstance(base, ast.Name) else base.attr if isinstance(base, ast.Attribute) else ""
                held = (
                    "msg" if isinstance(base, ast.Name) and (file.name, held) == ("reporting.py", "message") else held
                )
                if held in HOLDERS:
                    used.add((HOLDERS[held], node.attr))
    assert used - listed == set()
    assert ("mypy.checker:TypeChecker", "lookup_type_or_none") in used
