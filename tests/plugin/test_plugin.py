"""Tests of the plugin's own parts: its tables against mypy's classes, its version, its answers to mypy's surprises."""

from __future__ import annotations

import ast
import inspect
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("mypy")

import capsend_mypy
from capsend_mypy import codes, spawning, syntax, variables
from capsend_traits import Table
from capsend_traits._folder import Folder
from mypy import api, nodes, patterns
from mypy.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[..., str]

PLUGIN = Path(capsend_mypy.__file__).parent
DOCS = Path(__file__).parents[2] / "docs" / "mypy.md"
# They hold no expression or statement of the user's, or only such as mypy has analysed away.
EMPTY = {
    "BreakStmt", "BytesExpr", "ComplexExpr", "ContinueStmt", "EllipsisExpr", "EnumCallExpr", "FakeExpression", "FakeInfo", "FloatExpr",
    "GlobalDecl", "Import", "ImportAll", "ImportBase", "ImportFrom", "IntExpr", "NameExpr", "NamedTupleExpr", "NewTypeExpr", "NonlocalDecl",
    "ParamSpecExpr", "PassStmt", "PlaceholderNode", "PromoteExpr", "SingletonPattern", "StrExpr", "TempNode", "TypeAlias", "TypeAliasExpr",
    "TypeAliasStmt", "TypeFormExpr", "TypeInfo", "TypeVarExpr", "TypeVarLikeExpr", "TypeVarTupleExpr", "TypedDictExpr", "Var", "Argument",
    "Node", "Statement", "Expression", "SymbolNode", "RefExpr", "FuncBase", "FuncItem", "Pattern", "Context",
}  # fmt: skip


def test_every_node_of_mypy_is_walked() -> None:
    """A kind of node that the walk does not handle would hide its content."""
    known = {cls.__name__ for cls in syntax.CHILDREN} | EMPTY
    classes = {
        cls.__name__
        for module in (nodes, patterns)
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, nodes.Node)
    }
    assert classes <= known


def test_the_plugin_imports_neither_capsend_nor_what_is_not_there() -> None:
    """It runs wherever mypy runs, so it imports mypy, the declarations and the standard library alone."""
    allowed = {"mypy", "capsend_traits", "capsend_mypy"}
    for file in PLUGIN.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for module in modules:
                top = module.partition(".")[0]
                assert top in allowed or top in __import__("sys").stdlib_module_names, (file.name, module)


def test_an_old_mypy_is_refused_cleanly() -> None:
    """Before 2.4 mypy frees bodies too early: the plugin says so instead of reporting nothing."""
    with pytest.raises(CompileError) as caught:
        capsend_mypy.plugin("2.3.1")
    assert "needs mypy 2.4 or later, this is 2.3.1" in caught.value.messages[0]
    assert capsend_mypy.plugin("2.4.1+dev.abc").__name__ == "CapsendPlugin"


def test_the_version_stands_for_every_file_and_declaration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mypy's cache is keyed by `__version__`: an edit of any file of the plugin, or of a declaration, must change it."""
    for file in PLUGIN.glob("*.py"):
        shutil.copy2(file, tmp_path)
    before = capsend_mypy.digest_of(tmp_path)
    assert capsend_mypy.digest_of(tmp_path) == before
    (tmp_path / "judge.py").write_text("")
    assert capsend_mypy.digest_of(tmp_path) != before
    monkeypatch.setattr(capsend_mypy, "fingerprint", lambda: "other declarations")
    assert capsend_mypy.digest_of(PLUGIN) != capsend_mypy.__version__


def test_a_surprise_is_an_error_with_a_request(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that goes wrong inside a hook takes mypy down; it becomes an error that asks for a report."""

    def fail(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(spawning.Check, "callable", fail)
    output = check("from capsend import spawn\nspawn(len, 'a')\n")
    assert "unexpected KeyError: 'surprise' in the capsend plugin" in output
    assert "Please report it" in output


def test_every_code_can_be_disabled_alone(check: Check) -> None:
    """A code of ours is accepted by the options, by inline configuration and by `type: ignore`, like mypy's own."""
    source = "from capsend import spawn\ndef f(xs: list[int]) -> None:\n    spawn(lambda: len(xs)){}\n"
    assert "[capsend-capture]" in check(source.format(""))
    assert "Success" in check(source.format("  # type: ignore[capsend-capture]"))
    assert "Success" in check("# mypy: disable-error-code=capsend-capture\n" + source.format(""))
    assert "Success" in check(source.format(""), *(f"--disable-error-code={code.code}" for code in codes.ALL))
    assert "unused" in check("# mypy: warn-unused-ignores\nx = 1  # type: ignore[capsend-capture]\n").lower()


def test_a_declaration_file_says_per_process_of_another_modules_global(
    tmp_path: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`NAME: PerProcess[...]` in a declaration file works as the annotation in the module would."""
    source = """from capsend import spawn
RATES = {"a": 1}
def change() -> None:
    RATES["b"] = 2
def work() -> int:
    return len(RATES)
spawn(work)
"""
    assert "[capsend-global]" in check(source)
    (tmp_path / "traits").mkdir()
    (tmp_path / "traits" / "case.pyi").write_text("RATES: PerProcess[dict[str, int]]\n")
    monkeypatch.setattr(variables, "table", lambda: Table(Folder(str(tmp_path / "traits"), "mine")))
    assert "Success" in check(source + "\n")


PYDANTIC = """
from pydantic import BaseModel
from capsend import spawn

class Point(BaseModel, frozen=True):
    x: int

class Rows(BaseModel):
    rows: list[int]

def f(p: Point, r: Rows) -> None:
    spawn(lambda: p)
    spawn(lambda: r)
    spawn(len, r.rows)
    x = p.x
    spawn(lambda: x)
"""


def test_a_pydantic_model_needs_its_package_in_the_image(tmp_path: Path, check: Check) -> None:
    """A model can be captured if the image has pydantic and the model is frozen; its content can be passed like any value."""
    pytest.importorskip("pydantic")
    lines = [line for line in check(PYDANTIC).splitlines() if ": error: " in line]
    assert [line.split(":")[1] for line in lines] == ["12", "13"]
    (tmp_path / "pyproject.toml").write_text('[tool.capsend]\npackages = ["pydantic"]\n')
    lines = [line for line in check(PYDANTIC).splitlines() if ": error: " in line]
    assert [line.split(":")[1] for line in lines] == ["13"]


def test_every_code_has_its_section_with_an_example() -> None:
    """The documentation has one section per code, and its examples are checked below."""
    text = DOCS.read_text()
    for code in codes.ALL:
        assert f"### {code.code}\n" in text


def _examples() -> list[tuple[str, str]]:
    found = []
    code = ""
    lines = iter(DOCS.read_text().splitlines())
    for line in lines:
        if line.startswith("### "):
            code = line[4:]
        if line == "```python":
            block = []
            for inner in lines:
                if inner == "```":
                    break
                block.append(inner)
            found.append((code, "\n".join(block) + "\n"))
    return found


@pytest.fixture(scope="module")
def example_output(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Mypy's output for each example of the documentation, by its file."""
    folder = tmp_path_factory.mktemp("docs")
    files = []
    for index, (_, source) in enumerate(_examples()):
        files.append(folder / f"example_{index}.py")
        files[-1].write_text(source)
    (folder / "mypy.ini").write_text("[mypy]\nplugins = capsend_mypy\npython_version = 3.12\n")
    output = api.run(["--config-file", str(folder / "mypy.ini"), "--cache-dir=/dev/null", *map(str, files)])[0]
    return {file.name: "\n".join(line for line in output.splitlines() if file.name in line) for file in files}


@pytest.mark.parametrize(
    ("index", "example"),
    list(enumerate(_examples())),
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else str(value),
)
def test_the_examples_of_the_documentation_say_what_they_do(
    example_output: dict[str, str], index: int, example: tuple[str, str]
) -> None:
    """Each line marked `# error` gets an error with the code of its section, and no other line does."""
    code, source = example
    marked = {number for number, line in enumerate(source.splitlines(), 1) if "# error" in line}
    output = example_output[f"example_{index}.py"].splitlines()
    found = {int(line.split(":")[1]) for line in output if ": error: " in line}
    assert found == marked, output
    assert all(f"[{code}]" in line for line in output if ": error: " in line)


@pytest.fixture
def check(tmp_path: Path, mypy_caches: Path) -> Check:
    """Run mypy with the plugin over one module, in this process."""
    (tmp_path / "mypy.ini").write_text("[mypy]\nplugins = capsend_mypy\n")
    options = (f"--config-file={tmp_path / 'mypy.ini'}", f"--cache-dir={mypy_caches / 'plugin'}")

    def check(source: str, *arguments: str) -> str:
        (tmp_path / "case.py").write_text(source)
        return api.run([*options, *arguments, str(tmp_path / "case.py")])[0]

    return check
