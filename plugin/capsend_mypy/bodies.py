"""The callables that a class body stores in attributes of the class: in fields, properties and plain assignments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy import nodes as n

from capsend_mypy import mentions, names, outline, syntax

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FACTORIES: Final = frozenset(
    {"default_factory", "factory", "converter", "validator", "on_setattr", "eq", "order", "hash", "repr"}
)
"""The arguments of field makers that may be callables; an `eq` of True is not."""
ACCESSORS: Final = frozenset(
    {
        "builtins.classmethod",
        "builtins.property",
        "builtins.staticmethod",
        "functools.cached_property",
        "functools.partialmethod",
        "functools.singledispatchmethod",
    }
)
"""The classes that wrap a function into an attribute which calls the function."""
HOOKS: Final = frozenset({"default", "validator"})


def stored(file: n.MypyFile) -> Iterator[tuple[str, list[mentions.Ref]]]:
    """Yield ("Class.name", references of the callables) for the attributes of a module's classes that hold callables."""
    yield from _stored(file.names, file.fullname, "")


def _stored(
    table: Mapping[str, n.SymbolTableNode], module: str, prefix: str
) -> Iterator[tuple[str, list[mentions.Ref]]]:
    for name, symbol in table.items():
        info = symbol.node
        # A table also contains imported names: the full name shows where a class was defined.
        if isinstance(info, n.TypeInfo) and info.fullname == f"{module}.{prefix}{name}" and not symbol.plugin_generated:
            found: dict[str, list[mentions.Ref]] = {}
            # `defn` of a class from the cache is an artificial one with an empty body: only classes of parsed files have statements.
            for binding in syntax.plain_bindings(info.defn.defs.body):
                refs = _callables(binding.value, module) if binding.value is not None else None
                if refs is not None:
                    found.setdefault(binding.name, []).extend(refs)
            for field, ref in _hooks(info.defn.defs.body, module):
                found.setdefault(field, []).append(ref)
            yield from ((f"{prefix}{name}.{attribute}", refs) for attribute, refs in found.items())
            yield from _stored(info.names, module, f"{prefix}{name}.")


def _callables(value: n.Expression, module: str) -> list[mentions.Ref] | None:
    """Return the references of the callables in a value; None if it visibly has none."""
    if isinstance(value, n.LambdaExpr):
        return outline.refs_of(value, module)
    if isinstance(value, n.RefExpr) and syntax.function_of(value.node) is not None:
        return _function(value, module)
    if not isinstance(value, n.CallExpr):
        return None
    # mypy binds the name of a call to the class or function of typeshed, whatever name the module gave it.
    wraps = isinstance(value.callee, n.RefExpr) and value.callee.fullname in ACCESSORS
    if not wraps and _is_made(value):
        # A reference and no verdict: which function made the value is judged where the attribute is reached.
        return [mentions.Ref(mentions.OPAQUE, module, "", mentions.place_of(value, module))]
    found: list[mentions.Ref] = []
    shown = False
    for name, argument in zip(value.arg_names, value.args, strict=True):
        inner = _callables(argument, module)
        if inner is not None and (not _is_made(argument) or wraps or name in FACTORIES):
            found += inner
            shown = True
    return found if shown or wraps else None


def _is_made(value: n.Expression) -> bool:
    """Return whether a user function makes a value, which may then be a callable with any captures."""
    return (
        isinstance(value, n.CallExpr)
        and isinstance(value.callee, n.RefExpr)
        and syntax.function_of(value.callee.node) is not None
        and not names.is_known(value.callee.fullname)
    )


def _function(value: n.RefExpr, module: str) -> list[mentions.Ref]:
    # The name of a local function leads nowhere: mypy's tables do not contain it.
    if value.kind == n.LDEF or names.is_known(value.fullname):
        return []
    return [mentions.Ref(mentions.FUNCTION, value.fullname, "", mentions.place_of(value, module))]


def _hooks(body: list[n.Statement], module: str) -> Iterator[tuple[str, mentions.Ref]]:
    """Yield the methods that an attrs class calls when an instance is made: `@x.default` and `@x.validator`."""
    for statement in syntax.statements(body):
        if not isinstance(statement, n.Decorator):
            continue
        # mypy removes the decorators that it handles from `decorators`; this list keeps them all.
        for decorator in statement.original_decorators:
            if (
                isinstance(decorator, n.MemberExpr)
                and decorator.name in HOOKS
                and isinstance(decorator.expr, n.NameExpr)
            ):
                place = mentions.place_of(statement.func, module)
                yield decorator.expr.name, mentions.Ref(mentions.FUNCTION, statement.func.fullname, "", place)
