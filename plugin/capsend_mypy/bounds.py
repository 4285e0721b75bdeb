"""The traits as bounds: they are enforced at calls of generic functions, where generic classes are named, and at parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from capsend_traits import wording
from mypy import nodes as n
from mypy.constraints import SUBTYPE_OF, infer_constraints
from mypy.types import CallableType, Instance, Type, get_proper_type

from capsend_mypy import syntax
from capsend_mypy.markers import bound_of, constructor, marker_of, signatures
from capsend_mypy.spoils import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from capsend_traits import Trait

    from capsend_mypy.program import Program
    from capsend_mypy.reporting import Reporter


class Written(NamedTuple):
    """A generic class with its arguments, as named by an annotation or a base class; `errors` is mypy's."""

    type: Instance
    place: n.Context
    errors: Any


class Bounds:
    """Checks calls and annotations against the bounds of their names."""

    def __init__(self, program: Program, reporter: Reporter) -> None:
        self.program = program
        self.reporter = reporter

    def call(
        self, call: n.CallExpr, returned: Type, given: list[list[n.Expression]], types: list[list[Type]], checker: Any
    ) -> None:
        """Check one call of a function, method or class that asks for a trait."""
        callee = call.callee.base if isinstance(call.callee, n.IndexExpr) else call.callee
        node = callee.node if isinstance(callee, n.RefExpr) else None
        proper = get_proper_type(returned)
        if isinstance(node, n.TypeAlias):
            target = get_proper_type(node.target)
            node = target.type if isinstance(target, Instance) else node
        if isinstance(node, n.TypeInfo):
            if isinstance(proper, Instance) and proper.type is node:
                self.arguments(proper, call)
            node = constructor(node)
        elif node is None and isinstance(callee, n.MemberExpr):
            node = self._method(callee, checker)
        variants = signatures(node)
        if variants:
            signature = self._chosen(variants, checker.lookup_type_or_none(call.callee))
            self._variables(signature, call, given, checker)
            self._parameters(signature, given, types)

    @staticmethod
    def _method(callee: n.MemberExpr, checker: Any) -> n.SymbolNode | None:
        # mypy found the types of the expressions in a call before it calls the hook; nothing is inferred again.
        owner = checker.lookup_type_or_none(callee.expr)
        proper = get_proper_type(owner) if owner is not None else None
        symbol = proper.type.get(callee.name) if isinstance(proper, Instance) else None
        return symbol.node if symbol is not None else None

    @staticmethod
    def _chosen(signatures: list[CallableType], actual: Type | None) -> CallableType:
        proper = get_proper_type(actual) if actual is not None else None
        line = getattr(
            proper, "line", None
        )  # mypy does not report the chosen variant, but the variant's type has the line of the definition
        return next((s for s in signatures if len(signatures) > 1 and s.line == line), signatures[0])

    def _variables(
        self, signature: CallableType, call: n.CallExpr, given: list[list[n.Expression]], checker: Any
    ) -> None:
        # mypy stores the callee's type, with its type variables solved for this call, under the callee's expression.
        actual = checker.lookup_type_or_none(call.callee)
        proper = get_proper_type(actual) if actual is not None else None
        if not isinstance(proper, CallableType):
            return
        # A bound method's type has lost its receiver.
        formals = signature.arg_types[len(signature.arg_types) - len(proper.arg_types) :]
        done: set[str] = set()
        for index, (formal, specialised) in enumerate(zip(formals, proper.arg_types, strict=False)):
            values = given[index] if index < len(given) else []
            # mypy's own solver, the other way round: the callee's type with values filled in says what each variable stands for.
            for constraint in infer_constraints(formal, specialised, SUBTYPE_OF):
                variable = constraint.origin_type_var
                trait = bound_of(variable)
                if trait is not None and variable.name not in done:
                    done.add(variable.name)
                    value = values[0] if len(values) == 1 else None
                    self._check(variable.name, constraint.target, trait, value or call, value=value)

    def _parameters(self, signature: CallableType, given: list[list[n.Expression]], types: list[list[Type]]) -> None:
        # The declared signature of a method has its receiver, the arguments of the hook have not.
        offset = len(signature.arg_types) - len(given)
        for index, (values, judged) in enumerate(zip(given, types, strict=True)):
            position = index + max(offset, 0)
            if position >= len(signature.arg_types):
                return
            trait = marker_of(signature.arg_types[position])
            name = signature.arg_names[position] or str(index + 1)
            for value, actual in zip(values, judged, strict=True):
                if trait is not None:
                    self._check(name, actual, trait, value, kind=wording.Kind.ARGUMENT, value=value)

    def arguments(self, named: Instance, place: n.Context) -> None:
        """Check the type arguments of a generic class that is constructed or named."""
        # mypy pads missing arguments with Any when it analyses the type, so the two have the same length.
        for variable, argument in zip(named.type.defn.type_vars, named.args, strict=False):
            trait = bound_of(variable)
            if trait is not None:
                self._check(variable.name, argument, trait, place)

    def _check(
        self,
        name: str,
        judged: Type,
        trait: Trait,
        place: n.Context,
        *,
        kind: wording.Kind = wording.Kind.BOUND,
        value: n.Expression | None = None,
    ) -> None:
        judge = self.program.judge
        if isinstance(value, n.RefExpr | n.LambdaExpr) and self._is_code(value):
            return
        spoils = judge.spoils(judged, trait)
        self.program.consulted |= judge.modules
        if spoils:
            leaves = tuple(spoil.of(name) for spoil in spoils)
            finding = wording.Finding(kind, name, judge.name(judged), trait.value, leaves)
            rule = spoils[0].rule if spoils[0].rule is Rule.ANY else Rule.BOUND
            self.reporter.finding(finding, rule, place, verb="called")

    def _is_code(self, value: n.Expression) -> bool:
        """Return whether a value is a module, or a module-level function that can run in another process."""
        node = value.node if isinstance(value, n.RefExpr) else None
        if isinstance(node, n.MypyFile):
            return True
        function = syntax.function_of(node)
        return function is not None and "." in function.fullname and not self.program.failures(function.fullname)


def written_types(found: Iterable[Written]) -> Iterator[Written]:
    """Yield each place once: mypy analyses a type several times."""
    seen: set[tuple[int, int]] = set()
    for written in found:
        key = (written.place.line, written.place.column)
        if key not in seen:
            seen.add(key)
            yield written
