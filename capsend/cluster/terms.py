"""The part of an environment that is sent to a node, as fields of an item `spawn`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from capsend.environment import Environment
from capsend.runtime.terms import LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence


def terms_of(environment: Environment) -> tuple[list[Any], str, dict[str, str]]:
    """Return the fields of an environment.

    Returns:
        (the limits named in `LIMITS`, `mailbox_full`, {name: value} of its variables).
    """
    limits = [getattr(environment, name) for name in LIMITS]
    return limits, environment.mailbox_full, dict(environment.env)


def environment_of(limits: Sequence[Any], mailbox_full: str, variables: dict[str, str]) -> Environment:
    """Return the environment for fields made by `terms_of`, without image and targets of output.

    Raises:
        TypeError, ValueError: as for `Environment(...)`; or the number of limits differs from `LIMITS`.
    """
    return _environment(tuple(limits), mailbox_full, tuple(variables.items()))


@functools.lru_cache(maxsize=256)
def _environment(limits: tuple[Any, ...], mailbox_full: Any, variables: tuple[tuple[str, str], ...]) -> Environment:
    named = dict(zip(LIMITS, limits, strict=True))
    return Environment(**named, mailbox_full=mailbox_full, env=dict(variables))
