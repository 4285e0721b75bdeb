"""The reader of a declaration file, in `.pyi` syntax: classes, aliases, and blocks for a version or a platform."""

from __future__ import annotations

import ast
import dataclasses
import sys
from typing import TYPE_CHECKING, Final

from capsend_traits._declaration import Declaration, DeclarationError, Trait

if TYPE_CHECKING:
    from collections.abc import Sequence

TRAITS: Final = {trait.value: trait for trait in Trait}
EXAMPLE: Final = 'write class Name(Never): "reason; cure"'


@dataclasses.dataclass(frozen=True, slots=True)
class Alias:
    """A line `Name = module.Name` of a declaration file: another name of a class declared elsewhere."""

    name: str
    target: str
    file: str
    line: int


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """The declarations of one file.

    Args:
        entries: {qualified name: declaration} in the blocks for the running Python.
        others: the same, in the blocks for other versions and platforms, which mypy may check for.
        per_process: the globals of the module that are declared `PerProcess`.
    """

    entries: dict[str, Declaration | Alias]
    others: dict[str, Declaration | Alias]
    per_process: set[str] = dataclasses.field(default_factory=set)


def read(path: str, *, module: str) -> Contents:
    """Read the declaration file of a module.

    Raises:
        DeclarationError: the file is not in the subset of Python for declarations.
    """
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read(), path)
    except UnicodeDecodeError:
        raise DeclarationError(path, 1, "not UTF-8. Save the file as UTF-8.") from None
    except SyntaxError as error:
        raise DeclarationError(path, error.lineno or 1, f"not Python syntax: {error.msg}.") from None
    except ValueError as error:
        raise DeclarationError(path, 1, f"not Python syntax: {error}.") from None
    reader = _Reader(path=path, module=module)
    reader.statements(tree.body, prefix="", applies=True)
    return reader.contents


def is_per_process(annotation: ast.expr) -> bool:
    """Return whether an annotation is `PerProcess`, with or without the type of the value."""
    head = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return isinstance(head, ast.Name) and head.id == "PerProcess"


class _Reader:
    def __init__(self, *, path: str, module: str) -> None:
        self.path = path
        self.module = module
        self.contents = Contents({}, {})
        self.variables: set[str] = set()

    def fail(self, node: ast.AST, problem: str) -> DeclarationError:
        return DeclarationError(self.path, getattr(node, "lineno", 1), problem)

    def statements(self, body: Sequence[ast.stmt], *, prefix: str, applies: bool) -> None:
        for node in body:
            match node:
                case ast.ClassDef():
                    self.declaration(node, prefix=prefix, applies=applies)
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="TypeVar"))):
                    self.variables.add(name)
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name() | ast.Attribute()):
                    target = ast.unparse(node.value)
                    if isinstance(node.value, ast.Name):
                        target = f"{self.module}.{target}"
                    self.add(name, Alias(f"{self.module}.{name}", target, self.path, node.lineno), applies=applies)
                case ast.AnnAssign(target=ast.Name() | ast.Attribute(), value=None) if is_per_process(node.annotation):
                    self.contents.per_process.add(ast.unparse(node.target))
                case ast.If():
                    holds = self.condition(node.test)
                    self.statements(node.body, prefix=prefix, applies=applies and holds)
                    self.statements(node.orelse, prefix=prefix, applies=applies and not holds)
                case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                    pass
                case _:
                    raise self.fail(
                        node,
                        f"{ast.unparse(node).splitlines()[0]!r} is no declaration; {EXAMPLE}, or Name = module.Name.",
                    )

    def add(self, qualname: str, entry: Declaration | Alias, *, applies: bool) -> None:
        entries = self.contents.entries if applies else self.contents.others
        earlier = entries.get(qualname)
        if applies and earlier is not None:
            raise DeclarationError(
                self.path,
                entry.line,
                f"{self.module}.{qualname} is declared twice, first in line {earlier.line}. Keep one of them.",
            )
        entries[qualname] = entry

    def declaration(self, node: ast.ClassDef, *, prefix: str, applies: bool) -> None:
        qualname = prefix + node.name
        trait, parameters = self.bases(node)
        reason, cure = self.text(node, trait=trait)
        declaration = Declaration(
            f"{self.module}.{qualname}", trait, parameters, reason, cure, self.hidden(node), self.path, node.lineno
        )
        self.add(qualname, declaration, applies=applies)
        self.statements(
            [part for part in node.body if isinstance(part, ast.ClassDef)], prefix=f"{qualname}.", applies=applies
        )

    def bases(self, node: ast.ClassDef) -> tuple[Trait, tuple[str, ...]]:
        traits: list[Trait] = []
        parameters: list[str] = []
        for base in node.bases:
            match base:
                case ast.Name(id=name) if name in TRAITS:
                    traits.append(TRAITS[name])
                case ast.Subscript(value=ast.Name(id="Generic"), slice=index):
                    parameters += self.generic(node, index)
                case _:
                    raise self.fail(node, f"base {ast.unparse(base)} of {node.name} is not a trait; {EXAMPLE}.")
        if len(traits) != 1:
            raise self.fail(
                node, f"{node.name} must have exactly one of ProcessSend, Serializable and Never as a base; {EXAMPLE}."
            )
        if parameters and traits == [Trait.NEVER]:
            raise self.fail(node, f"{node.name} is Never whatever its type parameters are. Leave out Generic[...].")
        return traits[0], tuple(parameters)

    def generic(self, node: ast.ClassDef, index: ast.expr) -> list[str]:
        names = []
        for item in index.elts if isinstance(index, ast.Tuple) else [index]:
            if not isinstance(item, ast.Name) or item.id not in self.variables:
                name = ast.unparse(item)
                raise self.fail(
                    node,
                    f'parameter {name} of {node.name} is no type variable. Write {name} = TypeVar("{name}") above.',
                )
            names.append(item.id)
        return names

    def hidden(self, node: ast.ClassDef) -> bool:
        match node.keywords:
            case []:
                return False
            case [ast.keyword(arg="hidden", value=ast.Constant(value=True))]:
                return True
        raise self.fail(
            node,
            f"{node.name} has a keyword other than hidden=True (no module has the class as an attribute).",
        )

    def text(self, node: ast.ClassDef, *, trait: Trait) -> tuple[str, str]:
        reason, _, cure = " ".join((ast.get_docstring(node) or "").split()).partition("; ")
        if trait is not Trait.PROCESS_SEND and not (reason and cure):
            raise self.fail(node, f"{node.name} needs its reason and its cure as the docstring; {EXAMPLE}.")
        if cure and trait is Trait.PROCESS_SEND:
            raise self.fail(
                node, f"{node.name} is ProcessSend, so there is nothing to cure. Leave out the text after ';'."
            )
        if reason.endswith(".") or cure.endswith("."):
            raise self.fail(
                node, f"the reason and the cure of {node.name} become parts of sentences. Leave out the full stop."
            )
        return reason, cure

    def condition(self, test: ast.expr) -> bool:
        match test:
            case ast.Compare(
                left=ast.Attribute(value=ast.Name(id="sys"), attr="version_info"),
                ops=[ast.Lt() | ast.GtE() as comparison],
                comparators=[ast.Tuple(elts=[ast.Constant(value=int(major)), ast.Constant(value=int(minor))])],
            ):
                return (sys.version_info >= (major, minor)) is isinstance(comparison, ast.GtE)
            case ast.Compare(
                left=ast.Attribute(value=ast.Name(id="sys"), attr="platform"),
                ops=[ast.Eq() | ast.NotEq() as comparison],
                comparators=[ast.Constant(value=str(platform))],
            ):
                return (sys.platform == platform) is isinstance(comparison, ast.Eq)
        raise self.fail(
            test,
            f'{ast.unparse(test)} is not understood; write sys.version_info >= (3, 13) or sys.platform == "win32".',
        )
