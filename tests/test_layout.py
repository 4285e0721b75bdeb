"""The layout of the packages: which module may import which, what the public names are, and what `import capsend` loads."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import capsend

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "capsend": ROOT / "capsend",
    "capsend_mypy": ROOT / "plugin" / "capsend_mypy",
    "capsend_traits": ROOT / "stubs" / "capsend_traits",
}

LAYERS = [
    {"exceptions", "guest"},
    {"traits"},
    {
        "wire",
        "exception_classes",
        "frames",
        "failure",
        "parsed",
        "linetexts",
        "texts",
        "source",
        "fields",
        "parts",
        "judge",
        "origins",
        "captures",
        "claims",
        "annotations",
        "handles",
        "stats",
        "held",
        "ports",
        "byteforms",
        "cache_place",
        "folders",
        "signatures",
        "capabilities",
        "preloading",
        "program",
        "prepared",
        "shipping",
        "outcomes",
        "child_shipment",
        "records",
        "text_shipment",
    },
    {"waiting"},
    {
        "engine",
        "ownership",
        "baking",
        "image",
        "deadlines",
        "output",
        "answers",
        "mail",
        "host_calls",
        "host_errors",
        "warned",
        "tree",
        "turns",
        "time_limits",
        "life",
        "modules",
    },
    {"process", "mailbox", "registry", "running", "syntax", "children", "child_operations", "wasm", "outcome"},
    {"environment", "executor", "group", "supervisor", "source_text", "text_types"},
    {""},
    {"commands"},
]
UPWARDS = {
    "process": {"environment", "shipping"},  # `spawn` is the default environment's
    "modules": {"running", "wasm", "children"},  # a process starts others; a module is handed out as one
    "life": {
        "mailbox",
        "child_operations",
    },  # its end is told as a notice; what it spawns is started as any other process
    "ports": {"mailbox"},  # what travels as a grant is handed out as an address
    "preloading": {
        "child_operations",
        "engine",
        "failure",
        "host_calls",
        "mailbox",
        "modules",
        "ready",
        "registry",
        "warned",
        "wasm",
    },  # by name
    "baking": {"image", "shipping"},  # an image is tried with real shipments while it is made
    "guest": {"fields", "origins", "traits"},  # what stands under the same name inside
    "origins": {"baking.native"},  # a cure says what an image could hold
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


def layer_of(module: str) -> int | None:
    # What stands in guest/api has the name, inside, of what it stands for.
    short = module.replace("capsend.guest.api", "capsend").removeprefix("capsend").lstrip(".").partition(".")[0]
    return next((rank for rank, names in enumerate(LAYERS) if short in names), None)


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    """Imports at the top of modules form no cycle."""
    edges = {
        name: {module_named(found.name) for found in imports if found.at_once} - {"", name}
        for name, imports in MODULES.items()
    }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way, name])
        if name not in done:
            for other in edges[name] - {"capsend"}:
                visit(other, (*way, name))
            done.add(name)

    for name in edges:
        visit(name, ())


@pytest.mark.parametrize("module", [name for name in MODULES if layer_of(name) is not None])
def test_a_module_imports_only_its_own_layer_and_those_below(module: str) -> None:
    """exceptions, traits <- wire, captures <- engine, image <- process <- __init__, inside functions too."""
    short = module.replace("capsend.guest.api", "capsend").removeprefix("capsend.").partition(".")[0]
    for found in MODULES[module]:
        other = module_named(found.name)
        rank = layer_of(other) if other and other != "capsend" else None
        if rank is not None and other.removeprefix("capsend.") not in UPWARDS.get(short, set()):
            assert rank <= layer_of(module), f"{module} imports {other}"


def test_only_the_engine_imports_wasmtime() -> None:
    """Wasmtime is behind one door."""
    users = [name for name, imports in MODULES.items() if "wasmtime" in tops(imports)]
    assert users
    assert all(name.startswith("capsend.engine.") for name in users), users


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
    """What runs inside depends on nothing that the image might not have."""
    inside = {"capsend_guest", "wit_world", "componentize_py_types", "componentize_py_runtime"}
    for name, imports in MODULES.items():
        if name.startswith("capsend.guest."):
            own = [found for found in imports if not found.name.startswith("capsend.guest")]
            # The package that programs inside know as `capsend` is the guest's own, capsend/guest/api.
            allowed = sys.stdlib_module_names | inside | {"capsend"}
            if name.startswith("capsend.guest.api") or name == "capsend.guest.assembly":
                allowed |= {"attr", "attrs"}  # every image has it
            if name == "capsend.guest.shared":
                allowed |= {"capsend_traits"}
            assert not tops(own) - allowed, name


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
    """A docstring of its own, that begins with a sentence."""
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
    """What did not fit among the 30 names is an attribute of the package all the same, and imported when it is asked for."""
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
