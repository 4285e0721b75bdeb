"""The start of a child by a process: a request to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from capsend_guest import children

from capsend.runtime import life
from capsend.runtime.output import to_stderr, to_stdout

if TYPE_CHECKING:
    from capsend.environment import Environment
    from capsend.shipping.ship import Shipment

_STAY = frozenset({"image", "stdout", "stderr", "env"})
_LONGEST_NAME = 200


def start(shipment: Shipment, environment: Environment, _template: object, *, operations: object = ()) -> Any:
    """Start a process.

    Raises:
        TypeError: the environment has targets of output, which only the host supports.
        LimitExceeded: the child would get more than this process has, or the tree more than its limits.
    """
    if environment.stdout is not to_stdout or environment.stderr is not to_stderr:
        raise TypeError(
            "stdout and stderr cannot be chosen inside a process: its children write to its own. "
            "Send lines in messages, or return them"
        )
    head: dict[str, Any] = {
        "name": shipment.name[:_LONGEST_NAME],
        "mailbox": int(shipment.takes_mailbox),
        "handles": ",".join(str(grant) for grant in shipment.grants),
        "limits": _limits(environment),
        **getattr(shipment, "head", {}),
    }
    make: Any = life.Life  # the class in the overlay's own package
    return make(children.spawn(head, shipment.program, shipment.call, shipment.segments), shipment)


def _limits(environment: Environment) -> dict[str, Any]:
    """Return the limits that differ from the defaults; the host adds this process's other limits."""
    limits: dict[str, Any] = {}
    for field in attrs.fields(type(environment)):
        value = getattr(environment, field.name)
        if field.name not in _STAY and value != field.default:
            limits[field.name] = value
    if environment.env:
        limits["env"] = dict(environment.env)
    return limits
