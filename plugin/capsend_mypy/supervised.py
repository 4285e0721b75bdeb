"""`Supervisor.spawn`: the arguments of the child and the supervisor's own keywords."""

from __future__ import annotations

from typing import Final

from mypy import nodes as n
from mypy.types import CallableType, Overloaded, Type, get_proper_type

from capsend_mypy import mailboxes

OWN_KEYWORDS: Final = frozenset({"name", "restart", "stop"})
"""The parameters of `Supervisor.spawn` that are not for the child."""


def of_child(signature: CallableType, spawned: Type) -> CallableType:
    """Return the signature of `spawn(fn, ...)` with the parameters of `fn` in place of any arguments."""
    found = mailboxes.parameters(spawned)
    if found is None or not OWN_KEYWORDS.isdisjoint(found.arg_names):
        return signature
    taken = list(zip(found.arg_types, found.arg_kinds, found.arg_names, strict=True))
    if mailboxes.taken(spawned) is not None:
        del taken[0]
    own = [
        part
        for part in zip(signature.arg_types, signature.arg_kinds, signature.arg_names, strict=True)
        if part[2] in OWN_KEYWORDS
    ]
    # The child's `**kwargs` come after the supervisor's own keywords, which they would otherwise take.
    last = [part for part in taken if part[1] == n.ARG_STAR2]
    parts = [(spawned, n.ARG_POS, signature.arg_names[0]), *(part for part in taken if part not in last), *own, *last]
    return signature.copy_modified(
        arg_types=[judged for judged, _, _ in parts],
        arg_kinds=[kind for _, kind, _ in parts],
        arg_names=[name for _, _, name in parts],
        variables=list(found.variables),
    )


def result_of(spawned: Type) -> Type | None:
    """Return the result type of a child, as far as its type shows it."""
    proper = get_proper_type(spawned)
    if isinstance(proper, Overloaded):
        return None
    return mailboxes.returned(proper)
