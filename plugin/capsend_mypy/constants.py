"""Constants of modules in the plugin: their sources decide whether a failure about a mutable global holds.

A source is read when a spawn reaches such a global, not when its module is checked: few are ever reached. The answer
depends on function bodies, which mypy's interface hash leaves out; therefore `digest` puts the relevant bodies into the
module's summary.
"""

from __future__ import annotations

import ast
import hashlib
import os
from typing import TYPE_CHECKING, Final, NamedTuple, TypeGuard

from capsend_traits import constants
from capsend_traits._made import is_mapping as makes_dict
from capsend_traits.held import Held, reads_attribute
from mypy import nodes as n
from mypy.types import Instance, TupleType, Type, TypedDictType, UnionType, get_proper_type

from capsend_mypy import asked, mentions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from capsend_traits.constants import Constant

    from capsend_mypy.summary import Summary

CONTAINERS: Final = frozenset(
    {
        *("builtins.list", "builtins.dict", "builtins.set", "builtins.tuple", "builtins.frozenset", "typing.Sequence"),
        *(
            "typing.Mapping",
            "typing.MutableMapping",
            "typing.MutableSequence",
            "typing.AbstractSet",
            "typing.MutableSet",
        ),
        *("typing.Collection", "typing.Iterable", "typing.Container"),
    }
)
FIXED: Final = frozenset({"builtins.frozenset", "builtins.tuple"})
REFLECTION: Final = (
    *("__main__", "globals", "vars", "locals", "exec", "eval", "f_globals", "sys.modules", "import_module", "import *"),
)


STARTING: Final = frozenset({"main", "print", "run", "spawn"})
"""Functions that scripts call at module level, and imported modules rarely do."""
DEFAULTS: Final = frozenset({"class builtins.dict", "class builtins.list", "class builtins.set"})


class Source(NamedTuple):
    """The source of a module: its tree, its constants, and the other values that it holds.

    Attributes:
        tree: the syntax tree.
        constants: the constants, by name.
        held: class attributes and defaults, by the source.
        filled: globals that statements of the module fill during its import, by the source; for a script, whose
            statements continue, the same as `held`.
    """

    tree: ast.Module
    constants: dict[str, Constant]
    held: Held
    filled: Held


class Sources:
    """The sources read so far, by module; shared by all checks of one build."""

    def __init__(self) -> None:
        self.known: dict[str, Source | None] = {}
        self._texts: dict[str, bytes] = {}
        self._used: dict[str, frozenset[str]] = {}

    def text(self, file: n.MypyFile) -> bytes:
        """Return the text of a module; empty if it cannot be read."""
        if file.fullname not in self._texts:
            try:
                with open(source_path(file.path), "rb") as text:
                    self._texts[file.fullname] = text.read()
            except OSError:
                self._texts[file.fullname] = b""
        return self._texts[file.fullname]

    def used(self, file: n.MypyFile) -> frozenset[str]:
        """Return the methods that the operators of a module may call."""
        if file.fullname not in self._used:
            self._used[file.fullname] = asked.used_in(self.text(file))
        return self._used[file.fullname]

    def forget(self, module: str) -> None:
        """Forget a module that was parsed anew."""
        self.known.pop(module, None)
        self._texts.pop(module, None)
        self._used.pop(module, None)

    def of(self, file: n.MypyFile) -> Source | None:
        """Return the source of a module; None if it cannot be read."""
        if file.fullname not in self.known:
            self.known[file.fullname] = _read(file)
        return self.known[file.fullname]

    def constant(self, file: n.MypyFile, name: str) -> Constant | None:
        """Return a constant of a module, by its name in the module."""
        source = self.of(file)
        return source.constants.get(name) if source is not None else None

    def filled(self, file: n.MypyFile, name: str, declared: Type) -> Constant | None:
        """Return a global that its module's statements fill, and that is not changed after the import."""
        source, depth = self.of(file), depth_of(declared)
        if source is None or not 0 < depth <= constants.MAX_DEPTH:
            return None
        found = source.filled.of_module(name, depth, is_mapping=is_mapping(declared))
        return found if found is not None and not found.is_lent else None

    def default(self, file: n.MypyFile, function: str, parameter: str) -> Constant | None:
        """Return a default that is a display in the `def`, of a parameter that its function only reads.

        Args:
            file: the module.
            function: the local name of the function, as `Class.method`.
            parameter: the name of the parameter.
        """
        source = self.of(file)
        node = _definition(source.tree, function) if source is not None else None
        if source is None or node is None:
            return None
        line = min(each.lineno for each in (*node.decorator_list, node))
        for depth, mapping in ((1, True), (1, False), (2, True), (2, False)):
            found = source.held.of_default((node.name, line), parameter, depth, is_mapping=mapping)
            if found is not None and (mapping, depth) == (makes_dict(found.value), _depth_of_display(found.value)):
                return found
        return None

    def class_constant(self, file: n.MypyFile, name: str) -> Constant | None:
        """Return a class attribute that its module only reads, by its name in the module, such as `Class.attribute`."""
        source, (cls, _, attribute) = self.of(file), name.rpartition(".")
        return source.held.of_class(cls, attribute) if source is not None else None

    def only_reads_attribute(self, reader: n.MypyFile, constant: Constant) -> bool:
        """Return whether another module only reads the attributes with the name of a class constant."""
        source = self.of(reader)
        return source is not None and reads_attribute(source.tree, constant.name, of=constant)

    def only_reads(self, reader: n.MypyFile, is_it: Callable[[str], bool], constant: Constant) -> bool:
        """Return whether another module only reads a constant, under any full name that *is_it* accepts."""
        source = self.of(reader)
        return source is not None and constants.every_use_reads(
            source.tree, is_it, of=constant, module=reader.fullname, is_package=_is_package(reader)
        )


def _read(file: n.MypyFile) -> Source | None:
    try:
        with open(source_path(file.path), "rb") as text:
            tree = ast.parse(text.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    module, is_package = file.fullname, _is_package(file)
    held = Held(tree, module=module, is_package=is_package, is_imported=False)
    filled = held if _is_script(tree) else Held(tree, module=module, is_package=is_package)
    return Source(tree, constants.constants(tree, module=module, is_package=is_package), held, filled)


def _is_script(tree: ast.Module) -> bool:
    """Return whether a module acts when it is executed: a process may start before its last statement has run."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Constant) and node.value == "__main__":
                return True
            if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in STARTING:
                return True
    return False


def _definition(tree: ast.Module, local: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the only function of a module or class with a local name."""
    node: ast.AST = tree
    for part in local.split("."):
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        found = [inner for inner in getattr(node, "body", ()) if isinstance(inner, kinds) and inner.name == part]
        if len(found) != 1:
            return None
        node = found[0]
    return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _depth_of_display(value: ast.expr) -> int:
    match value:
        case ast.List() | ast.Set():
            parts: list[ast.expr] = value.elts
        case ast.Dict():
            parts = value.values
        case _:
            return 0
    return 1 + max((_depth_of_display(part) for part in parts), default=0)


def source_path(path: str) -> str:
    """Return the path of a file's source: for a stub, the `.py` of the same name next to it, if there is one."""
    beside = path[:-1] if path.endswith(".pyi") else path
    return beside if os.path.exists(beside) else path


def _is_package(file: n.MypyFile) -> bool:
    return os.path.basename(file.path).startswith("__init__.")


# The parts of a constant


def leaves(value: ast.expr) -> Iterator[ast.expr]:
    """Yield the elements of the displays in an expression: the keys and values that are not displays themselves."""
    match value:
        case ast.List() | ast.Tuple() | ast.Set():
            for element in value.elts:
                yield from leaves(element)
        case ast.Dict():
            for part in (*(key for key in value.keys if key is not None), *value.values):
                yield from leaves(part)
        case _:
            yield value


def is_literal(leaf: ast.expr) -> bool:
    """Return whether a part is a literal, or a negative number."""
    return isinstance(leaf, ast.Constant) or (isinstance(leaf, ast.UnaryOp) and isinstance(leaf.operand, ast.Constant))


def dotted(leaf: ast.expr) -> str:
    """Return a name with its attributes, `module.function`; empty for other expressions."""
    if isinstance(leaf, ast.Attribute):
        base = dotted(leaf.value)
        return f"{base}.{leaf.attr}" if base else ""
    return leaf.id if isinstance(leaf, ast.Name) else ""


def is_container(judged: Type | None) -> bool:
    """Return whether a value of a type may be a container that constants are made of."""
    proper = get_proper_type(judged) if judged is not None else None
    if isinstance(proper, UnionType):
        return any(is_container(item) for item in proper.items)
    return (
        _is_plain_tuple(proper)
        or isinstance(proper, TypedDictType)
        or (isinstance(proper, Instance) and proper.type.fullname in CONTAINERS)
    )


def _is_plain_tuple(judged: object) -> TypeGuard[TupleType]:
    """Return whether a type is that of built-in tuples: an instance of a named tuple is judged by its fields."""
    return isinstance(judged, TupleType) and judged.partial_fallback.type.fullname == "builtins.tuple"


def is_mapping(judged: Type) -> bool:
    """Return whether a value of a type is a dict."""
    proper = get_proper_type(judged)
    return isinstance(proper, TypedDictType) or (
        isinstance(proper, Instance)
        and proper.type.fullname in {"builtins.dict", "typing.Mapping", "typing.MutableMapping"}
    )


def depth_of(judged: Type) -> int:
    """Return the most levels of lists, dicts and sets in a value of a type."""
    proper = get_proper_type(judged)
    if isinstance(proper, UnionType):
        return max(map(depth_of, proper.items), default=0)
    if isinstance(proper, TypedDictType):
        return 1 + max(map(depth_of, proper.items.values()), default=0)
    if _is_plain_tuple(proper):
        inner = max(map(depth_of, proper.items), default=0)
        return inner + 1 if inner else 0
    if not isinstance(proper, Instance) or proper.type.fullname not in CONTAINERS:
        return 0
    inner = max(map(depth_of, proper.args), default=0)
    return inner + 1 if inner or proper.type.fullname not in FIXED else 0


def contents(judged: Type, depth: int) -> list[Type]:
    """Return the types of the elements of containers nested up to a depth."""
    proper = get_proper_type(judged)
    if depth > 0 and _is_plain_tuple(proper):
        return [inner for item in proper.items for inner in contents(item, depth - 1)]
    if depth > 0 and isinstance(proper, Instance) and proper.type.fullname in CONTAINERS:
        return [inner for item in proper.args for inner in contents(item, depth - 1)]
    if depth > 0 and isinstance(proper, TypedDictType):
        return [inner for item in proper.items.values() for inner in contents(item, depth - 1)]
    if isinstance(proper, UnionType):
        return [inner for item in proper.items for inner in contents(item, depth)]
    return [judged]


# The part of a source on which the answer depends


def digest(file: n.MypyFile, own: Summary) -> str:
    """Return a digest of a module's statements that mention a mutable global, its own or another's; empty if no such statement matters."""
    if not own.text:  # the source of a module without bodies was not read; most modules of a build have none
        return ""
    names = {
        name
        for name, symbol in file.names.items()
        if isinstance(symbol.node, n.Var)
        and symbol.node.fullname == f"{file.fullname}.{name}"
        and is_container(symbol.node.type)
    }
    names |= _foreign(file, own) | _of_classes(file.names, file.fullname)
    names |= {ref.target for refs in own.refs.values() for ref in refs if ref.member in DEFAULTS}
    if not names:
        return ""
    # Most words do not occur in a source: searching the whole source first is many times faster than searching each
    # statement.
    words = [word for name in (*sorted(names), *REFLECTION) if (word := name.encode()) in own.text]
    lines = own.text.splitlines(keepends=True)
    starts = sorted({max(statement.line - 1, 0) for statement in file.defs} | {0})
    spans = zip(starts, [*starts[1:], len(lines)], strict=True)
    blocks = (b"".join(lines[start:end]) for start, end in spans)
    mentioning = (block for block in blocks if any(word in block for word in words))
    return hashlib.sha256(b"".join(mentioning)).hexdigest()[:12] if words else ""


def _of_classes(table: n.SymbolTable, around: str) -> set[str]:
    """Return the attributes of the classes of a module, nested ones included, that may hold containers."""
    found: set[str] = set()
    for name, symbol in table.items():
        info = symbol.node
        if isinstance(info, n.TypeInfo) and info.fullname == f"{around}.{name}":
            variables = [(key, held.node) for key, held in info.names.items() if isinstance(held.node, n.Var)]
            found |= {key for key, node in variables if node.is_initialized_in_class and is_container(node.type)}
            found |= _of_classes(info.names, info.fullname)
    return found


def _foreign(file: n.MypyFile, own: Summary) -> set[str]:
    """Return the names under which functions of a module may use other modules' variables."""
    found = {
        ref.target.rpartition(".")[2]
        for refs in own.refs.values()
        for ref in refs
        if ref.kind == mentions.VARIABLE and not ref.target.startswith(f"{file.fullname}.")
    }
    if found:
        for statement in file.imports:
            if isinstance(statement, n.ImportFrom):
                found.update(alias for name, alias in statement.names if alias and name in found)
    return found
