"""What a function or class refers to by name: globals and free variables with the attributes read from them, writes, and imports.

The names are read off the code that its source compiles to, as the process will compile it; tools that rewrite the running code
(pytest's asserts, coverage) therefore leave no trace here.
"""

from __future__ import annotations

import ast
import dis
import types
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from capsend.source import Source

_ATTRIBUTE: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_GLOBAL: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_FREE: Final = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_IMPORT_ERRORS: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


@attrs.frozen
class Read:
    """One name that is read, the attributes read from it (`os.path.join` has two), and the line."""

    name: str
    chain: tuple[str, ...]
    line: int


@attrs.frozen
class Write:
    """One name of an outer scope that is assigned or deleted: `keyword` is "global" or "nonlocal"."""

    name: str
    keyword: str
    line: int


@attrs.frozen
class Import:
    """One import statement inside a function.

    Attributes:
        module: the module's name as written, without leading dots.
        level: the number of leading dots.
        names: what is taken from it: the names of a `from` import, or the attributes read from the module later.
        is_from: whether it is a `from` import.
        line: its line.
        guarded: whether a `try` around it catches its failure.
    """

    module: str
    level: int
    names: tuple[str, ...]
    is_from: bool
    line: int
    guarded: bool


@attrs.frozen
class References:
    """All that one function refers to, its nested functions, lambdas, comprehensions and classes included.

    Attributes:
        globals: reads of global (or built-in) names, in the order of the code.
        free: reads of names of enclosing functions.
        receiver: reads of attributes of the first parameter, such as `self.rows`.
        writes: assignments to names that are not its own.
        imports: import statements in its body.
        attributes: names of attributes read from values whose origin is not known.
    """

    globals: tuple[Read, ...]
    free: tuple[Read, ...]
    receiver: tuple[Read, ...]
    writes: tuple[Write, ...]
    imports: tuple[Import, ...]
    attributes: frozenset[str]


@attrs.frozen
class ClassReferences:
    """What a class statement refers to while it runs (bases, decorators, defaults, its body), and what its annotations name."""

    body: tuple[Read, ...]
    annotations: tuple[str, ...]


def function_references(source: Source) -> References:
    """Collect what a function or lambda refers to, defaults and decorators left out: they are values, not names."""
    code = source.compile()
    collector = _Collector(code)
    collector.visit(code, frozenset(code.co_freevars))
    return References(
        globals=tuple(collector.globals),
        free=tuple(collector.free),
        receiver=tuple(collector.receiver),
        writes=tuple(collector.writes),
        imports=tuple(_imports(source.node)),
        attributes=frozenset(collector.attributes),
    )


def class_references(source: Source) -> ClassReferences:
    """Collect what the process needs at the moment it executes a class statement; functions inside run later and are left out."""
    assert isinstance(source.node, ast.ClassDef)
    bare = _WithoutAnnotations().visit(ast.parse(ast.unparse(source.node)))
    # What the unparsed copy loses are the lines; the statement's own line stands for all of them.
    code = compile(bare, source.file, "exec", flags=source.flags, dont_inherit=True)
    collector = _Collector(code)
    collector.visit(code, frozenset(), into_functions=False)
    body = tuple(attrs.evolve(read, line=source.line) for read in collector.globals if read.name != source.name)
    names = {
        name.id
        for annotation in _annotations(source.node)
        for name in ast.walk(annotation)
        if isinstance(name, ast.Name)
    }
    return ClassReferences(body=body, annotations=tuple(sorted(names)))


class _Collector:
    """Walks instructions; a load of a name begins a chain that attribute loads right behind it continue."""

    def __init__(self, root: types.CodeType) -> None:
        self.globals: list[Read] = []
        self.free: list[Read] = []
        self.receiver: list[Read] = []
        self.writes: list[Write] = []
        self.attributes: set[str] = set()
        arguments = root.co_argcount + root.co_posonlyargcount
        self.first = root.co_varnames[0] if arguments else None

    def visit(self, code: types.CodeType, free: frozenset[str], *, into_functions: bool = True) -> None:
        own: set[str] = set()  # so far: before `price = price` in a class body, the name is the global
        chain: list[str] | None = None
        for instruction in dis.get_instructions(code):
            name, op = instruction.argval, instruction.opname
            if op == "STORE_NAME":
                own.add(name)
            if op in _ATTRIBUTE:
                if chain is None:
                    self.attributes.add(name)
                else:
                    chain.append(name)
                continue
            self._end(chain)
            chain = self._begin(instruction, code, free, own)
        self._end(chain)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType) and (into_functions or _runs_at_once(constant)):
                inner = frozenset(constant.co_freevars) & (free - frozenset(code.co_cellvars))
                self.visit(constant, inner, into_functions=into_functions)

    def _begin(
        self, instruction: dis.Instruction, code: types.CodeType, free: frozenset[str], own: set[str]
    ) -> list[str] | None:
        name, op = instruction.argval, instruction.opname
        line = (instruction.positions and instruction.positions.lineno) or code.co_firstlineno
        if op in _GLOBAL and name not in own:
            return self._read(self.globals, name, line)
        if op in _FREE:
            if name in free:
                return self._read(self.free, name, line)
            if name == self.first:
                return self._read(self.receiver, name, line)
        if op == "LOAD_CLOSURE" and name in free:
            return None
        if op in {"STORE_GLOBAL", "DELETE_GLOBAL"}:
            self.writes.append(Write(name, "global", line))
        elif op in {"STORE_DEREF", "DELETE_DEREF"} and name in free:
            self.writes.append(Write(name, "nonlocal", line))
        elif op.startswith("LOAD_FAST"):
            last = name[-1] if isinstance(name, tuple) else name
            if last == self.first:
                return self._read(self.receiver, last, line)
        elif op == "LOAD_SUPER_ATTR":
            self.attributes.add(str(name))
        return None

    def _read(self, reads: list[Read], name: str, line: int) -> list[str]:
        chain: list[str] = []
        self._open = (reads, name, line)
        return chain

    def _end(self, chain: list[str] | None) -> None:
        if chain is not None:
            reads, name, line = self._open
            reads.append(Read(name, tuple(chain), line))


def _runs_at_once(code: types.CodeType) -> bool:
    """Class bodies and comprehensions run where they stand; functions and lambdas later."""
    return code.co_name in {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"} or "__qualname__" in code.co_names


class _WithoutAnnotations(ast.NodeTransformer):
    """Annotations are evaluated late or never inside, so what they name is not needed for the statement to run."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        return node


def _annotations(node: ast.ClassDef) -> Iterator[ast.expr]:
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign):
            annotation = statement.annotation
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                try:
                    annotation = ast.parse(annotation.value, mode="eval").body
                except SyntaxError:
                    continue
            yield annotation


def _imports(root: ast.AST) -> Iterator[Import]:
    stack: list[tuple[ast.AST, bool]] = [(root, False)]
    while stack:
        node, guarded = stack.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                names = tuple(_attributes_of(root, bound, () if alias.asname else tuple(alias.name.split(".")[1:])))
                yield Import(alias.name, 0, names, False, node.lineno, guarded)
        elif isinstance(node, ast.ImportFrom):
            yield Import(node.module or "", node.level, tuple(a.name for a in node.names), True, node.lineno, guarded)
        elif isinstance(node, ast.Try):
            caught = guarded or any(_catches_import_error(handler) for handler in node.handlers)
            stack += [(child, caught) for child in node.body]
            rest: list[Iterable[ast.AST]] = [node.handlers, node.orelse, node.finalbody]
            stack += [(child, guarded) for part in rest for child in part]
        else:
            stack += [(child, guarded) for child in ast.iter_child_nodes(node)]


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(n, ast.Name) and n.id in _IMPORT_ERRORS for n in ast.walk(handler.type))


def _attributes_of(root: ast.AST, bound: str, below: tuple[str, ...]) -> Iterator[str]:
    """Yield the first attribute behind `bound.below...` wherever it is read."""
    for node in ast.walk(root):
        chain: list[str] = []
        expression: ast.AST = node
        while isinstance(expression, ast.Attribute):
            chain.insert(0, expression.attr)
            expression = expression.value
        if isinstance(expression, ast.Name) and expression.id == bound and tuple(chain[: len(below)]) == below:
            yield from chain[len(below) : len(below) + 1]
