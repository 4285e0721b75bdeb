"""The layout of the packages: permitted imports, public names, and the modules loaded by `import capsend`."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import capsend
from capsend.image.guest_files import guest_files

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "capsend": ROOT / "capsend",
    "capsend_mypy": ROOT / "plugin" / "capsend_mypy",
    "capsend_traits": ROOT / "stubs" / "capsend_traits",
}


class Import:
    """One import: the module it names, in full, and whether it happens when the importing module is loaded."""

    def __init__(self, name: str, *, at_once: bool) -> None:
        self.name = name
        self.at_once = at_once


def imports_of(tree: ast.AST, package: str, *, at_once: bool = True) -> list[Import]:
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            found += [Import(alias.name, at_once=at_once) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [Import(f"{base}.{alias.name}", at_once=at_once) for alias in node.names]
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        found += imports_of(node, package, at_once=at_once and not inside)
    return found


def modules_of(package: str) -> dict[str, list[Import]]:
    """Return {full name: imports} of every module of a package."""
    folder = PACKAGES[package]
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = (package, *path.relative_to(folder).with_suffix("").parts)
        name = ".".join(parts).removesuffix(".__init__")
        around = name if path.name == "__init__.py" else name.rpartition(".")[0]
        found[name] = imports_of(ast.parse(path.read_text(encoding="utf-8")), around)
    return found


MODULES = modules_of("capsend")


def module_named(name: str) -> str:
    """Return the module that an imported name is, or comes from; empty when it is not capsend's."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def tops(imports: list[Import]) -> set[str]:
    return {found.name.partition(".")[0] for found in imports}


def test_imports_run_down() -> None:
    """The contracts of import-linter in `pyproject.toml`: the layers, no circles, one door to wasmtime, plugin and run time apart."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_on_the_architecture_shows_the_layers_of_the_contract() -> None:
    """Each line of the table in `docs/architecture.md` is a layer, in the same order."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    layers = [{room.strip() for room in layer.split("|")} for layer in contract["layers"]]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \| (.*?) \|", page, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == layers


def test_the_plugin_never_imports_capsend() -> None:
    """The plugin knows mypy and the declarations, nothing else that is not in the standard library."""
    for name, imports in modules_of("capsend_mypy").items():
        foreign = (
            tops(imports) - sys.stdlib_module_names - {"capsend_mypy", "capsend_traits", "mypy", "mypy_extensions"}
        )
        assert not foreign, name


def test_capsend_never_imports_mypy_or_the_plugin() -> None:
    """A program at run time needs no type checker."""
    for name, imports in MODULES.items():
        assert not tops(imports) & {"mypy", "capsend_mypy"}, name


def test_the_declarations_need_only_the_standard_library() -> None:
    """Both sides read them, so they depend on neither."""
    for name, imports in modules_of("capsend_traits").items():
        assert not tops(imports) - sys.stdlib_module_names - {"capsend_traits"}, name


def test_guest_files_import_only_the_standard_library_and_each_other() -> None:
    """The files of an image depend on nothing that the image might not have."""
    allowed = sys.stdlib_module_names | {
        "capsend",
        "capsend_guest",
        "capsend_traits",
        "wit_world",
        "componentize_py_runtime",
        "attr",
        "attrs",
    }
    for name, imports in MODULES.items():
        if name.startswith("capsend.guest."):
            assert not tops(imports) - allowed, name


def baked_modules() -> dict[str, tuple[Path, str]]:
    """Return {full name inside: (file, package inside)} of every Python file of an image."""
    found = {}
    for place, path in guest_files().items():
        if place.suffix == ".py":
            name = str(place.with_suffix("")).replace("/", ".").removesuffix(".__init__")
            found[name] = path, str(place.parent).replace("/", ".")
    return found


NOT_BAKED = {"capsend.source_text.type_check.problems"}
"""Names that a baked file imports on the host only, and says so in a process."""


def test_an_image_has_whatever_its_files_import() -> None:
    """A file of a room that is baked whole imports, at whatever moment, only files that are baked too."""
    baked = baked_modules()
    for name, (path, package) in baked.items():
        for found in imports_of(ast.parse(path.read_text(encoding="utf-8")), package):
            top = found.name.partition(".")[0]
            if top in {"capsend", "capsend_guest", "capsend_traits"} and found.name not in NOT_BAKED:
                assert {found.name, found.name.rpartition(".")[0]} & baked.keys(), f"{name} imports {found.name}"


def test_an_image_has_every_file_under_one_name() -> None:
    """A process has each module of capsend once: no file has two names."""
    modules = capsend.spawn(modules_inside).result(timeout=60)
    files = [file for _, file in modules]
    assert len(files) == len(set(files))
    assert not [name for name, _ in modules if name.startswith("capsend.guest")]


def modules_inside() -> list[tuple[str, str]]:
    import sys

    return [
        (name, module.__file__ or "")
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in {"capsend", "capsend_guest", "capsend_traits"}
    ]


OVERLAY = ROOT / "capsend" / "guest" / "overlay"
OVERLAID = sorted(path.relative_to(OVERLAY) for path in OVERLAY.rglob("*.py"))


@pytest.mark.parametrize("path", OVERLAID, ids=str)
def test_an_overlaid_file_has_what_others_import_from_it(path: Path) -> None:
    """A file of the overlay has the path of a file of the host, and every name that the files of an image import from there."""
    assert (ROOT / "capsend" / path).exists()
    module = ".".join(["capsend", *path.with_suffix("").parts]).removesuffix(".__init__")
    baked = baked_modules()
    wanted = {
        found.name.removeprefix(f"{module}.")
        for file, package in baked.values()
        for found in imports_of(ast.parse(file.read_text(encoding="utf-8")), package)
        if found.name.rpartition(".")[0] == module and found.name not in baked
    }
    assert not wanted - set(capsend.spawn(lambda: dir(__import__("importlib").import_module(module))).result(60))


PUBLIC = sorted({*capsend.__all__, "WasmFunction", "host_function", "mailbox.Down", "mailbox.Exit", "mailbox.Timer"})
ON_THE_HOST = {
    "Executor.": "its futures are for threads to wait for",
    "HostFunction.": "a process calls it, and knows no more of it",
    "Image.": "images are made by the host",
    "Session.": "a process cannot interrupt what it waits for",
    "Mailbox.close": "the mailbox of a process closes with it",
    "Mailbox.dropped": "a process reads it in its parent's figures",
    "WasmModule.from_": "files are the host's",
    "WasmModule.functions": "in a process it is an attribute and no property",
    "mailbox.Timer.size": "the host charges for the message",
}
"""Attributes that only the host has, by how they begin, and why."""


def test_public_names_take_the_same_parameters_in_a_process() -> None:
    """Every method and function of the public names can be called in a process as on the host."""
    there = capsend.spawn(parameters, PUBLIC).result(timeout=60)
    here = {name: given for name, given in parameters(PUBLIC).items() if not name.startswith(tuple(ON_THE_HOST))}
    assert not here.keys() - there.keys()
    differing = {name: (here[name], there[name]) for name in here if lacks(here[name], there[name])}
    assert not differing


def lacks(here: list[str], there: list[str]) -> bool:
    """Return whether a function of the host has a parameter that the one in a process neither has nor takes among others."""
    return not {"_", "__", "args", "kwargs"} & set(there) and bool(set(here) - set(there))


def parameters(names: list[str]) -> dict[str, list[str]]:
    """Return {name: names of its parameters} of functions, and of the public methods of classes."""
    import inspect
    import pathlib
    import types

    import capsend.mailbox

    found: dict[str, list[str]] = {}
    for name in names:
        thing = capsend
        for part in name.split("."):
            thing = getattr(thing, part)
        for attribute in [each for each in dir(thing) if not each.startswith("_")] if isinstance(thing, type) else ():
            value = inspect.getattr_static(thing, attribute)
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            # The methods that a `Dir` inherits are those of the `pathlib` of each side.
            if isinstance(function, types.FunctionType) and not hasattr(pathlib.Path, attribute):
                found[f"{name}.{attribute}"] = list(inspect.signature(function).parameters)
        if isinstance(thing, types.FunctionType):
            found[name] = list(inspect.signature(thing).parameters)
    return found


def test_no_module_has_a_name_that_says_nothing() -> None:
    """A module is named after the one thing it is."""
    names = {part for package in PACKAGES for name in modules_of(package) for part in name.split(".")}
    assert not names & {"utils", "common", "helpers", "manager", "misc"}


def test_the_public_names_are_few_and_exist() -> None:
    """At most 32, sorted, and each can be imported."""
    assert len(capsend.__all__) <= 32
    assert capsend.__all__ == sorted(capsend.__all__)
    for name in capsend.__all__:
        assert getattr(capsend, name) is not None
    assert set(capsend.__all__) <= set(dir(capsend))


@pytest.mark.parametrize("name", sorted(set(capsend.__all__) - {"PerProcess"}))
def test_every_public_name_is_documented(name: str) -> None:
    """Each has a docstring that begins with a sentence."""
    thing = getattr(capsend, name)
    documented = type(thing).__call__ if name == "spawn" else thing
    assert documented.__doc__
    assert documented.__doc__.strip().splitlines()[0].endswith((".", ":"))


def test_a_process_finds_every_public_name() -> None:
    """The package that programs inside know as `capsend` has the same names."""
    assert set(capsend.__all__) <= set(capsend.spawn(names_inside).result(timeout=60))


def names_inside() -> list[str]:
    import capsend

    return [name for name in dir(capsend) if name in capsend.__all__]


def test_names_beside_the_public_ones_are_found_at_the_first_look() -> None:
    """Names that are not among the 30 public ones are attributes of the package all the same, imported at their first use."""
    program = """
        import capsend, sys
        assert "capsend.registry" not in sys.modules
        assert {"host_function", "processes", "registry"} <= set(dir(capsend))
        print(capsend.host_function.__name__, capsend.processes(), capsend.registry.names())
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("host_function () ()\n", "")


def test_an_unknown_name_of_capsend_is_an_attribute_error() -> None:
    """Names that are imported late do not hide misspellings."""
    with pytest.raises(AttributeError, match="has no attribute 'spwan'"):
        importlib.import_module("capsend").spwan


def test_import_capsend_loads_nothing_heavy() -> None:
    """A program that only declares what it may spawn does not wait for the engine, the command line or an event loop."""
    program = "import capsend, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {
        "wasmtime",
        "componentize_py",
        "rich",
        "click",
        "asyncio",
        "concurrent",
        "platformdirs",
        "filelock",
        "mypy",
        "multiprocessing",
        "ctypes",
    }
    assert not heavy & set(loaded.stdout.split())
