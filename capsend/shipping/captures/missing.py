"""The modules that an image lacks, with the cure. A module of a package in the image may be missing because its import needs another package."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from capsend.shipping.captures.origins import Origin, missing_module_cure
from capsend.source.guards import guards
from capsend.source.importable import importable
from capsend.source.modules import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.shipping.captures.origins import Origins

_MOST: Final = 50
_ELSEWHERE: Final = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_NO_OTHER: Final = "importing it fails in a process: use it on the host, and pass its results as arguments"


def missing_cure(name: str, origins: Origins) -> str:
    """Return the cure for a module that the image lacks."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or origins.of(top) is not Origin.IMAGE:
        return missing_module_cure(name)
    needed = _needed_by(name, origins)
    return missing_module_cure(needed) if needed else _NO_OTHER


def missing_part(package: str, attribute: str, origins: Origins) -> str:
    """Return the full name of a module that a package of the image has on the host only; empty if there is none."""
    name = f"{package}.{attribute}"
    holder = loaded(package)
    if holder is None or package.partition(".")[0] in sys.stdlib_module_names or origins.of(name) is Origin.IMAGE:
        return ""
    if attribute in vars(holder):
        return name if loaded(name) is vars(holder)[attribute] else ""
    return name if hasattr(holder, "__path__") and _file_of(name) else ""


def host_only(error: ImportError, origins: Origins) -> str:
    """Return the module that an import in a process did not find although the host can import it; empty if there is none."""
    name = error.name
    top = name.partition(".")[0] if type(name) is str else ""
    names = importable() if top and top not in sys.stdlib_module_names else None
    return top if names and top in names and origins.of(top) is not Origin.IMAGE else ""


def _needed_by(name: str, origins: Origins) -> str:
    """Return the package that the import of a module needs and the image lacks; empty if none is found."""
    waiting, seen = [name], {name}
    while waiting and len(seen) < _MOST:
        module = waiting.pop()
        for needed in _imports(module):
            top = needed.partition(".")[0]
            if top in sys.stdlib_module_names or needed in seen:
                continue
            if origins.of(top) is not Origin.IMAGE:
                return top
            if origins.of(needed) is not Origin.IMAGE:
                seen.add(needed)
                waiting.append(needed)
    return ""


def _imports(name: str) -> Iterator[str]:
    """Yield the modules that a module imports at its own import, except optional ones, whose absence it handles."""
    file = _file_of(name)
    try:
        tree = ast.parse(Path(file).read_bytes()) if file.endswith(".py") else None
    except (OSError, SyntaxError, ValueError):
        tree = None
    package = name if Path(file).name == "__init__.py" else name.rpartition(".")[0]
    waiting: list[ast.AST] = [tree] if tree is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if _file_of(f"{base}.{alias.name}"))
        elif not isinstance(node, _ELSEWHERE) and not (isinstance(node, ast.Try | ast.With) and guards(node)):
            waiting += ast.iter_child_nodes(node)


def _file_of(name: str) -> str:
    """Return the file of a module whose package is imported, without importing it; empty if it has none."""
    module, package = loaded(name), name.rpartition(".")[0]
    if module is not None:
        return str(getattr(module, "__file__", None) or "")
    try:
        spec = importlib.util.find_spec(name) if not package or package in sys.modules else None
    except (ImportError, ValueError, AttributeError):
        spec = None
    return str(spec.origin or "") if spec is not None else ""
