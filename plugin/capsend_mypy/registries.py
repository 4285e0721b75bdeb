"""Tables filled by decorators: which functions a module's own registering decorators put into them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mypy import nodes as n

from capsend_mypy import mentions, shapes, syntax
from capsend_mypy.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Found = tuple[str, n.FuncDef, n.Decorator | None]


def tables(
    file: n.MypyFile, found: Sequence[Found], refs: Mapping[str, list[mentions.Ref]]
) -> Iterator[tuple[str, Shape]]:
    """Yield (variable, its entries) for variables that decorators of the same module fill; entries from other modules are left to the run time."""
    prefix = f"{file.fullname}."
    filled_by = {
        local: {ref.target[len(prefix) :] for ref in refs.get(local, ()) if _is_own(ref, prefix)}
        for local, function, _ in found
        if shapes.may_return_callable(function)
    }
    held: dict[str, list[Shape]] = {table: [] for named in filled_by.values() for table in named}
    for local, _, decorator in found:
        # The decorators that mypy removes, such as `property`, register nothing.
        for expression in decorator.decorators if decorator is not None else ():
            for table in _filled(expression, prefix, filled_by):
                held.setdefault(table, []).append(Shape(shapes.NAME, prefix + local))
    builder = shapes.Builder(file.fullname)
    for binding in syntax.plain_bindings(file.defs) if held else ():
        if isinstance(binding.node, n.Var) and binding.name in held and isinstance(binding.value, shapes.TELLING):
            shape = builder.value_of(binding.value, binding.name)
            if shape.kind in {shapes.CALL, shapes.DISPLAY}:
                parts = held.pop(binding.name)
                yield (
                    binding.name,
                    replace(shape, parts=(*shape.parts, *parts), keys=(*shape.keys, *("" for _ in parts))),
                )


def _is_own(ref: mentions.Ref, prefix: str) -> bool:
    return ref.kind == mentions.VARIABLE and ref.target.startswith(prefix)


def _filled(expression: n.Expression, prefix: str, filled_by: Mapping[str, set[str]]) -> set[str]:
    """Return the variables into which a decorator may put its function."""
    # A factory of decorators, called once or more.
    while isinstance(expression, n.CallExpr):
        expression = expression.callee
    if not isinstance(expression, n.RefExpr):
        return set()
    if expression.fullname.startswith(prefix) and expression.fullname[len(prefix) :] in filled_by:
        return filled_by[expression.fullname[len(prefix) :]]
    base = expression.expr if isinstance(expression, n.MemberExpr) else None
    if isinstance(base, n.NameExpr) and base.kind == n.GDEF and isinstance(base.node, n.Var):
        return {base.name}
    return set()
