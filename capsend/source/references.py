"""The references of a function or class by name: globals and free variables with the attributes read from them, writes, and imports.

The names are read from the code that the guest will compile from the source. Tools that rewrite the running code
(pytest's asserts, coverage) therefore do not affect them.
"""

from __future__ import annotations

import ast
import dis
import itertools
import types
from typing import TYPE_CHECKING, Final

import attrs
from capsend_traits.operators import operators_of

from capsend.source.guards import guards
from capsend.source.parsed import nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from capsend.source.locate import Source

_ATTRIBUTE: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_GLOBAL: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_FREE: Final = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_GETTERS: Final = frozenset({"getattr", "hasattr"})
_DYNAMIC: Final = frozenset({"eval", "exec", "globals"})
_SHORTEST_PREFIX: Final = 3
_IMPORTING: Final = frozenset({"import_module", "__import__"})
_LOOKING_UP: Final = frozenset({"get", "__getitem__"})


@attrs.frozen
class Read:
    """A name that is read, with its line and the attributes read from it: two for `os.path.join`."""

    name: str
    chain: tuple[str, ...]
    line: int


@attrs.frozen
class Write:
    """A name of an outer scope that is assigned or deleted: `keyword` is "global" or "nonlocal"."""

    name: str
    keyword: str
    line: int


@attrs.frozen
class Import:
    """One import statement in a function.

    Attributes:
        module: the module's name as written, without leading dots.
        level: the number of leading dots.
        names: the names of a `from` import, or the attributes read from the module later.
        is_from: True for a `from` import.
        line: its line.
        guarded: True if a `try` or `with suppress(...)` around the import handles its failure.
        form: "statement"; "call" for a call of `import_module`, or a call that gets `import_module` as an argument;
            "lookup" in `sys.modules`, which imports nothing.
    """

    module: str
    level: int
    names: tuple[str, ...]
    is_from: bool
    line: int
    guarded: bool
    form: str = "statement"


@attrs.frozen
class References:
    """All references of one function, including its nested functions, lambdas, comprehensions and classes.

    Attributes:
        globals: reads of global (or built-in) names, in the order of the code.
        free: reads of names of enclosing functions.
        receiver: reads of attributes of the first parameter, such as `self.rows`.
        writes: assignments to names of outer scopes.
        imports: import statements in its body.
        attributes: names of attributes read from values of unknown origin.
        operators: the methods that its operators, statements and built-in functions may call on instances of user
            classes.
        prefixes: the beginnings of attribute names that it computes, as in `getattr(self, f"visit_{kind}")`.
        is_dynamic: True if the code may look up any global by a computed name, as with `globals()` and `eval`.
        imports_by_name: True if it may import a module by a computed name.
    """

    globals: tuple[Read, ...]
    free: tuple[Read, ...]
    receiver: tuple[Read, ...]
    writes: tuple[Write, ...]
    imports: tuple[Import, ...]
    attributes: tuple[str, ...]
    operators: tuple[str, ...]
    prefixes: tuple[str, ...]
    is_dynamic: bool
    imports_by_name: bool


def function_references(source: Source) -> References:
    """Collect the references of a function or lambda, without defaults and decorators, which are values, not names."""
    code = source.compile()
    collector = _Collector(code)
    collector.visit(code, frozenset(code.co_freevars))
    by_text = dict.fromkeys(_by_text(source.node))
    for name, attribute, line in by_text:
        for reads in (collector.globals, collector.free):
            if any(read.name == name for read in reads):
                reads.append(Read(name, (attribute,), line))
    names = {read.name for read in collector.globals}
    imports = tuple(_imports(source.node))
    every = (*collector.globals, *collector.free)
    named = {*collector.attributes, *(name for read in every for name in (read.name, *read.chain))}
    return References(
        globals=tuple(collector.globals),
        free=tuple(collector.free),
        receiver=tuple(collector.receiver),
        writes=tuple(collector.writes),
        imports=imports,
        attributes=tuple(dict.fromkeys([*collector.attributes, *(attribute for _, attribute, _ in by_text)])),
        operators=tuple(dict.fromkeys(operators_of(source.node, names))),
        prefixes=tuple(dict.fromkeys(_prefixes(source.node))),
        is_dynamic=bool(names & _DYNAMIC) or ("__name__" in names and _looks_up_modules(collector.globals)),
        imports_by_name=not _IMPORTING.isdisjoint(named.union(*(statement.names for statement in imports))),
    )


def _looks_up_modules(reads: Iterable[Read]) -> bool:
    """Return whether code looks up modules by names that may be computed, as in `sys.modules[__name__]`."""
    return any(read.name == "__import__" or {"modules", "import_module"} & {read.name, *read.chain} for read in reads)


def _gets(root: ast.AST) -> Iterator[ast.Call]:
    """Yield every call of `getattr` and `hasattr`."""
    for node in nodes_of(root):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in _GETTERS
            and len(node.args) > 1
        ):
            yield node


def _by_text(root: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Yield (name, attribute, line) of every `getattr(name, "attribute")` and `hasattr`; the name is empty for other expressions."""
    for node in _gets(root):
        owner, attribute = node.args[:2]
        if isinstance(attribute, ast.Constant) and isinstance(attribute.value, str):
            yield owner.id if isinstance(owner, ast.Name) else "", attribute.value, node.lineno


def _prefixes(root: ast.AST) -> Iterator[str]:
    """Yield the constant beginning of every computed name in a call of `getattr`, if it is long enough to narrow the choice."""
    for node in _gets(root):
        beginning = _beginning(node.args[1])
        if len(beginning.strip("_")) >= _SHORTEST_PREFIX:
            yield beginning


def _beginning(node: ast.expr) -> str:
    """Return the constant beginning of a computed text: an f-string, a sum, or a text with `%`."""
    if isinstance(node, ast.JoinedStr) and len(node.values) > 1:
        return _folded(node.values[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _folded(node.left) or _beginning(node.left)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _folded(node.left).partition("%")[0]
    return ""


class _Collector:
    """Walks instructions; attribute loads that directly follow the load of a name extend its chain."""

    def __init__(self, root: types.CodeType) -> None:
        self.globals: list[Read] = []
        self.free: list[Read] = []
        self.receiver: list[Read] = []
        self.writes: list[Write] = []
        self.attributes: dict[str, None] = {}
        arguments = root.co_argcount + root.co_posonlyargcount
        self.first = root.co_varnames[0] if arguments else None

    def visit(self, code: types.CodeType, free: frozenset[str]) -> None:
        own: set[str] = set()  # the names so far: before `price = price` in a class body, the name is the global
        chain: list[str] | None = None
        for instruction in dis.get_instructions(code):
            name, op = instruction.argval, instruction.opname
            if op == "STORE_NAME":
                own.add(name)
            if op in _ATTRIBUTE:
                if chain is None:
                    self.attributes[name] = None
                else:
                    chain.append(name)
                continue
            self._end(chain)
            chain = self._begin(instruction, code, free, own)
        self._end(chain)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.visit(constant, frozenset(constant.co_freevars) & (free - frozenset(code.co_cellvars)))

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
            self.attributes[str(name)] = None
        return None

    def _read(self, reads: list[Read], name: str, line: int) -> list[str]:
        chain: list[str] = []
        self._open = (reads, name, line)
        return chain

    def _end(self, chain: list[str] | None) -> None:
        if chain is not None:
            reads, name, line = self._open
            reads.append(Read(name, tuple(chain), line))


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
        elif isinstance(node, ast.Try | ast.With):
            caught = guarded or guards(node)
            body = frozenset(map(id, node.body))
            stack += [(child, caught if id(child) in body else guarded) for child in ast.iter_child_nodes(node)]
        else:
            yield from _by_name(node, guarded)
            stack += [(child, guarded) for child in ast.iter_child_nodes(node)]


def _by_name(node: ast.AST, guarded: bool) -> Iterator[Import]:
    """Yield the modules named by constants, as in `import_module("x")` and `sys.modules["x"]`, with the attributes read from them."""
    names = (node.attr,) if isinstance(node, ast.Attribute) else ()
    place = node.value if isinstance(node, ast.Attribute) else node
    if isinstance(place, ast.Call) and place.args:
        called = place.func.attr if isinstance(place.func, ast.Attribute) else getattr(place.func, "id", "")
        is_lookup = called in _LOOKING_UP and _is_modules(getattr(place.func, "value", None))
        if is_lookup or called in _IMPORTING:
            yield from _named(place.args[0], names, place.lineno, guarded, is_lookup)
        for passed, name in itertools.pairwise(place.args):
            # `run(import_module, "x")`: the called function may handle the failure.
            if (passed.attr if isinstance(passed, ast.Attribute) else getattr(passed, "id", "")) in _IMPORTING:
                yield from _named(name, (), place.lineno, True, False)
    elif isinstance(place, ast.Subscript) and _is_modules(place.value):
        yield from _named(place.slice, names, place.lineno, guarded, True)
    elif (
        isinstance(place, ast.Compare)
        and _is_modules(place.comparators[0])
        and isinstance(place.ops[0], ast.In | ast.NotIn)
    ):
        yield from _named(place.left, (), place.lineno, guarded, True)


def _is_modules(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "modules"


def _named(node: ast.expr, names: tuple[str, ...], line: int, guarded: bool, is_lookup: bool) -> Iterator[Import]:
    name = _folded(node)
    if name and not name.startswith("."):
        yield Import(name, 0, names, False, line, guarded, "lookup" if is_lookup else "call")


def _folded(node: ast.expr) -> str:
    """Return the text of a constant, or of constants that the compiler joins; empty for other expressions."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _folded(node.left), _folded(node.right)
        return left + right if left and right else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _attributes_of(root: ast.AST, bound: str, below: tuple[str, ...]) -> Iterator[str]:
    """Yield the first attribute in each read of `bound.below...`."""
    for node in ast.walk(root):
        chain: list[str] = []
        expression: ast.AST = node
        while isinstance(expression, ast.Attribute):
            chain.insert(0, expression.attr)
            expression = expression.value
        if isinstance(expression, ast.Name) and expression.id == bound and tuple(chain[: len(below)]) == below:
            yield from chain[len(below) : len(below) + 1]
