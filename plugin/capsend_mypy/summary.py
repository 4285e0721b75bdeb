"""One module's part of the summaries: made from its syntax tree, or read from the symbol in mypy's cache."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from capsend_traits import wording
from mypy import nodes as n
from mypy.types import Instance, LiteralType, TypeAliasType, get_proper_type
from mypy.util import correct_relative_import

from capsend_mypy import bodies, changing, dispatch, mentions, names, outline, registries, shapes, syntax
from capsend_mypy.spoils import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from capsend_mypy.shapes import Shape

SYMBOL: Final = "__capsend__"
VERSION: Final = 3
MAKING: Final = re.compile(rb"^[ \t]+(?:class|match)[ (]|\btype\((?:\s*\n|.*,)", re.MULTILINE)
"""Texts that show that a source may make a class in a function, or match a pattern."""


class Hop(NamedTuple):
    """One step from function to function: the object to which `function` refers as `label`, and the place if its tree was available.

    Attributes:
        when: the name of an attribute that some code must read for the step to be taken; empty if the step is always
            taken.
    """

    function: str
    label: str
    place: mentions.Place | None = None
    when: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason why a function cannot run in another process, with the steps from the function to the reason, outermost first.

    Attributes:
        unless: the condition under which the failure does not hold: the full name of a variable that is a constant of its
            module, or a text with a prefix of `solving`.
    """

    finding: wording.Finding
    rule: Rule = Rule.BAD
    hops: tuple[Hop, ...] = ()
    unless: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """The identity of a failure, independent of the steps."""
        return self.finding.kind, self.finding.variable, self.hops[-1].function if self.hops else ""


@dataclass(slots=True)
class Summary:
    """A module's functions, as far as they are needed without bodies.

    Attributes:
        verdicts: {local name: failures} of the functions that fail; None if `refs` is used instead.
        refs: {local name: references}, from the tree or from the daemon's cache.
        rebound: the globals that functions of the module assign.
        identity: the decorators that return the function they are given; makers of such decorators end in "()".
        assigned: the class variables that methods assign on their receivers, as "Class.name".
        shapes: {local name: shape} of functions that return callables, of variables that may hold callables, and, under
            "name@", of decorated functions.
        unseen: True if mypy has discarded the bodies, as for installed packages and silenced imports.
        changing: the classes whose methods change instances although the class looks immutable.
        hidden: the names whose run-time values are made in a branch that mypy skips.
        tables: a digest of the code that decides which mutable globals are constants.
        reads: the methods that any check asked about, and whether the module may call them; see `asked.Asked.answers`.
        imports: the modules that the module imports, except the library's.
        text: the module's source, until the summary is attached.
    """

    verdicts: dict[str, tuple[Failure, ...]] | None = None
    refs: dict[str, list[mentions.Ref]] = field(default_factory=dict)
    rebound: frozenset[str] = frozenset()
    identity: frozenset[str] = frozenset()
    assigned: frozenset[str] = frozenset()
    unseen: bool = False
    changing: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    tables: str = ""
    reads: list[str] = field(default_factory=list)
    imports: tuple[str, ...] = ()
    text: bytes = b""
    shapes: dict[str, Shape] = field(default_factory=dict)


def functions(file: n.MypyFile) -> Iterator[tuple[str, n.FuncDef, n.Decorator | None]]:
    """Yield the functions written in a module and its classes, by their local names: `Class.method`."""
    yield from _functions(file.names, f"{file.fullname}.", "")


def _functions(
    table: Mapping[str, n.SymbolTableNode], module: str, prefix: str
) -> Iterator[tuple[str, n.FuncDef, n.Decorator | None]]:
    for name, symbol in table.items():
        node = symbol.node
        # Neither methods made by mypy's plugins, which have no body, nor names imported from other modules.
        if symbol.plugin_generated or node is None or node.fullname != f"{module}{prefix}{name}":
            continue
        function = syntax.function_of(node)
        if function is not None:
            yield prefix + name, function, syntax.decorator_of(node)
            # mypy keeps a property with a setter as an overload of its accessors.
            if isinstance(node, n.OverloadedFuncDef) and syntax.is_property(node):
                yield from (
                    (prefix + name, part.func, None) for part in node.items[1:] if isinstance(part, n.Decorator)
                )
        elif isinstance(node, n.TypeInfo):
            yield from _functions(node.names, module, f"{prefix}{name}.")


def from_tree(file: n.MypyFile) -> Summary:
    """Return the summary of a module from its syntax tree."""
    summary = Summary(imports=_imports(file))
    rebound: set[str] = set()
    identity: set[str] = set()
    assigned: dict[str, list[n.Expression | None]] = {}
    found = list(functions(file))
    summary.assigned = frozenset(_assigned(found))
    summary.unseen = any(
        not function.body.body and not (function.info and function.info.is_named_tuple) for _, function, _ in found
    )
    if summary.unseen:
        return summary
    text = summary.text = _text(file)
    known = outline.Known(makes_classes=MAKING.search(text) is not None)
    summary.changing = frozenset(changing.changing(((local, function) for local, function, _ in found), text))
    if b"TYPE_CHECKING" in text:
        summary.hidden = outline.hidden_names(file)
    if b"global" in text:
        rebound.update(name for s in syntax.statements(file.defs) if isinstance(s, n.GlobalDecl) for name in s.names)
    for local, function, decorator in found:
        if not function.body.body:
            continue
        refs = outline.refs_of(function, file.fullname, has_writes=bool(rebound), known=known, hidden=summary.hidden)
        if decorator is not None:
            refs.insert(0, mentions.Ref(mentions.DECORATED, f"{file.fullname}.{local}", outline.decorators(decorator)))
            summary.shapes[f"{local}@"] = shapes.of_decorated(decorator, shapes.Builder(file.fullname))
        summary.refs[local] = [*summary.refs[local], *refs] if local in summary.refs else refs
        _note_maker(summary, function, local, file.fullname)
        if outline.is_identity(function):
            identity.add(local)
        elif outline.is_identity_factory(function):
            identity.add(local + "()")
    summary.shapes.update(shapes.of_variables(file))
    summary.shapes.update(registries.tables(file, found, summary.refs))
    for name, refs in dispatch.implementations(file):
        summary.refs.setdefault(name, []).extend(refs)
    if rebound:
        rebound = _really_rebound(file, rebound)
    for binding in syntax.plain_bindings(file.defs):
        if isinstance(binding.node, n.Var):
            assigned.setdefault(binding.name, []).append(binding.value)
    for name, values in assigned.items():
        called = [outline.callable_refs(value, file.fullname) if value is not None else None for value in values]
        if None not in called:
            summary.refs.setdefault(name, [ref for refs in called for ref in refs or ()])
        inner = [each for value in values if value is not None for each in _lambdas(value)] if b"lambda" in text else []
        if inner:
            refs_ = [ref for lambda_ in inner for ref in outline.refs_of(lambda_, file.fullname)]
            summary.refs[lambdas_of(name)] = refs_
    for local, refs in bodies.stored(file):
        summary.refs.setdefault(local, refs)
    summary.rebound, summary.identity = frozenset(rebound), frozenset(identity)
    return summary


def _imports(file: n.MypyFile) -> tuple[str, ...]:
    found: set[str] = set()
    for statement in file.imports:
        if isinstance(statement, n.Import):
            found.update(module for module, _ in statement.ids)
        elif isinstance(statement, n.ImportFrom | n.ImportAll):
            is_package = file.is_package_init_file()
            module, _ = correct_relative_import(file.fullname, statement.relative, statement.id, is_package)
            # Each name may be that of a module: which it is, the modules of the build show.
            members = statement.names if isinstance(statement, n.ImportFrom) else ()
            found.update((module, *(f"{module}.{name}" for name, _ in members)))
    return tuple(sorted(module for module in found if not names.is_known(module)))


def lambdas_of(name: str) -> str:
    """Return the local name under which a summary stores the references of lambdas in a global's display."""
    return f"{name}[]"


def _lambdas(value: n.Expression) -> Iterator[n.LambdaExpr]:
    if isinstance(value, n.LambdaExpr):
        yield value
    elif isinstance(value, n.ListExpr | n.TupleExpr | n.SetExpr | n.DictExpr):
        for part in syntax.children(value):
            if isinstance(part, n.Expression):
                yield from _lambdas(part)


def _note_maker(summary: Summary, function: n.FuncDef, local: str, module: str) -> None:
    """Note the callables that a function may return, if any."""
    if shapes.may_return_callable(function):
        maker = shapes.Builder(module).maker(function, local)
        if maker is not None:
            summary.shapes[local] = maker


def _text(file: n.MypyFile) -> bytes:
    """Return the source of a file, in which a search for a word is much faster than in the tree; if it cannot be read, a text with all such words."""
    try:
        with open(file.path, "rb") as text:
            return text.read()
    except OSError:
        return b"\n match lambda ".join((b"global", b"TYPE_CHECKING", *changing.TRICKS))


def _assigned(found: Iterable[tuple[str, n.FuncDef, n.Decorator | None]]) -> Iterator[str]:
    relevant: dict[n.TypeInfo, bool] = {}
    for local, function, _ in found:
        info = function.info
        if not info or not function.arguments:
            continue
        if info not in relevant:
            relevant[info] = _has_class_variables(info)
        if not relevant[info]:
            continue
        receiver = function.arguments[0].variable
        for statement in syntax.statements(function.body.body):
            for target in syntax.TARGETS.get(type(statement), lambda _: [])(statement):
                if (
                    isinstance(target, n.MemberExpr)
                    and isinstance(target.expr, n.NameExpr)
                    and target.expr.node is receiver
                ):
                    yield f"{local.rpartition('.')[0]}.{target.name}"


def _has_class_variables(info: n.TypeInfo) -> bool:
    return any(
        isinstance(s.node, n.Var) and s.node.is_initialized_in_class and not s.node.is_classvar
        for s in info.names.values()
    )


def _really_rebound(file: n.MypyFile, declared: set[str]) -> set[str]:
    found: set[str] = set()
    for node in syntax.walk(file):
        if isinstance(node, n.FuncDef):
            found.update(name for name, place in syntax.written(node).items() if isinstance(place, n.GlobalDecl))
    return found & declared


def encode_refs(file: n.MypyFile, summary: Summary) -> str:
    """Return a module's references as text, for the daemon, in which any module may change while others stay."""
    refs = {local: mentions.encoded(found) for local, found in summary.refs.items() if found or local in file.names}
    return _dump({"refs": refs, "classes": class_digests(file), "variables": variables_digest(file), **_rest(summary)})


def encode_verdicts(summary: Summary, verdicts: Mapping[str, tuple[Failure, ...]]) -> str:
    """Return a module's verdicts as text, failures only, so that an ordinary edit does not change the module's interface."""
    bad = {local: [_plain(failure) for failure in failures] for local, failures in verdicts.items() if failures}
    return _dump({"bad": bad, **_rest(summary)})


def _rest(summary: Summary) -> dict[str, Any]:
    return {
        "version": VERSION,
        "rebound": sorted(summary.rebound),
        "identity": sorted(summary.identity),
        "assigned": sorted(summary.assigned),
        "unseen": summary.unseen,
        "changing": sorted(summary.changing),
        "hidden": sorted(summary.hidden),
        "tables": summary.tables,
        "reads": summary.reads,
        "imports": summary.imports,
        "shapes": {local: shapes.encoded(shape) for local, shape in summary.shapes.items()},
    }


def _dump(data: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in data.items() if value}, separators=(",", ":"), sort_keys=True)


def _plain(failure: Failure) -> list[Any]:
    f = failure.finding
    leaves = [
        [
            leaf.path,
            leaf.type,
            leaf.verdict,
            leaf.cure,
            leaf.predicate,
            [[s.path, s.type, s.part, s.noun] for s in leaf.steps],
        ]
        for leaf in f.leaves
    ]
    return [
        f.kind.name,
        f.variable,
        f.type,
        f.trait,
        leaves,
        f.function,
        failure.rule.value,
        [hop[:2] for hop in failure.hops],
        failure.unless,
    ]


def _failure(data: list[Any]) -> Failure:
    kind, variable, shown, trait, plain, function, rule, hops, unless = data
    leaves = tuple(
        wording.Leaf(path, shape, verdict, cure, predicate, tuple(wording.Step(*step) for step in steps))
        for path, shape, verdict, cure, predicate, steps in plain
    )
    finding = wording.Finding(wording.Kind[kind], variable, shown, trait, leaves, function)
    return Failure(finding, Rule(rule), tuple(Hop(*hop) for hop in hops), unless)


def decode(text: str) -> Summary:
    """Return the summary in a text."""
    data = json.loads(text)
    verdicts = None
    if "refs" not in data and not data.get("unseen"):
        verdicts = {local: tuple(_failure(item) for item in items) for local, items in data.get("bad", {}).items()}
    return Summary(
        verdicts=verdicts,
        refs={local: mentions.decoded(refs) for local, refs in data.get("refs", {}).items()},
        rebound=frozenset(data.get("rebound", ())),
        identity=frozenset(data.get("identity", ())),
        assigned=frozenset(data.get("assigned", ())),
        unseen=data.get("unseen", False),
        changing=frozenset(data.get("changing", ())),
        hidden=frozenset(data.get("hidden", ())),
        tables=data.get("tables", ""),
        imports=tuple(data.get("imports", ())),
        shapes={local: shapes.decoded(shape) for local, shape in data.get("shapes", {}).items()},
    )


def class_digests(file: n.MypyFile) -> dict[str, str]:
    """Return a digest of each class's impl, bases and fields: the daemon itself notices no change in them."""
    digests: dict[str, str] = {}
    # mypy's own walk over a module's classes, nested ones included, without names that were imported.
    for fullname, symbol, _ in file.local_definitions():
        info = symbol.node
        if isinstance(info, n.TypeInfo):
            fields = sorted(
                (name, str(s.node.type), s.node.is_classvar, s.node.is_final)
                for name, s in info.names.items()
                if isinstance(s.node, n.Var)
            )
            frozen = [info.metadata.get(kind, {}).get("frozen") for kind in ("dataclass", "attrs")]
            text = repr((info.metadata.get(names.METADATA), frozen, [str(base) for base in info.bases], fields))
            digests[fullname] = hashlib.sha256(text.encode()).hexdigest()[:12]
    return digests


def variables_digest(file: n.MypyFile) -> str:
    """Return a digest of the types of a module's variables, including aliases such as `PerProcess`."""
    variables = sorted(
        (name, _spelled(symbol.node))
        for name, symbol in file.names.items()
        if isinstance(symbol.node, n.Var) and name != SYMBOL
    )
    return hashlib.sha256(repr(variables).encode()).hexdigest()[:12]


def _spelled(variable: n.Var) -> str:
    alias = variable.type.alias if isinstance(variable.type, TypeAliasType) else None
    return f"{variable.type} {alias.fullname if alias is not None else ''}"


def attach(file: n.MypyFile, files: Mapping[str, n.MypyFile], text: str) -> None:
    """Put a summary into a module's symbol table: it gets into mypy's cache and interface hash, and users do not see it."""
    builtins = files.get("builtins")
    string = builtins.names["str"].node if builtins is not None and "str" in builtins.names else None
    if not isinstance(string, n.TypeInfo):
        return
    # Of all data in a symbol, only the type of a variable is in mypy's cache, in the interface hash of its module, and
    # in the daemon's comparison; the metadata of a class is missing in the last two.
    variable = n.Var(SYMBOL, LiteralType(text, Instance(string, [])))
    variable._fullname = f"{file.fullname}.{SYMBOL}"  # noqa: SLF001 - mypy's own way to name a symbol that it did not parse
    # Else mypy would wait for a statement that gives the variable its type.
    variable.is_ready = True
    # Hidden: neither `import *` nor an attribute of the module finds the symbol; the cache writes it all the same.
    file.names[SYMBOL] = n.SymbolTableNode(n.GDEF, variable, module_public=False, module_hidden=True)


def attached(file: n.MypyFile) -> str | None:
    """Return the text that `attach` put into a module, in this run or in the run that wrote the cache."""
    symbol = file.names.get(SYMBOL)
    if symbol is None or not isinstance(symbol.node, n.Var) or symbol.node.type is None:
        return None
    # A symbol of a cached module is read when it is first asked for: a lookup of one name does not read the whole table.
    literal = get_proper_type(symbol.node.type)
    return literal.value if isinstance(literal, LiteralType) and isinstance(literal.value, str) else None
