"""Home's data about the processes on its nodes: the classes that their messages may name, and their host functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from capsend.capabilities.host_functions import FunctionGrant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from capsend.capabilities.handles import Grant
    from capsend.cluster.lives import RemoteLife
    from capsend.mailbox.ports import Origin


class _Child:
    """The call of a process as its descendants may use it: they name things only by class and name."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def resolve(self, reference: Any) -> object:
        """Return the class or function of a name; errors as for `Shipment.resolve`."""
        if not isinstance(reference, dict) or not reference.keys() & {"c", "n"}:
            raise LookupError("it names nothing that the host sent")
        return self._root.resolve({key: reference[key] for key in ("c", "n") if key in reference})


class HomeNames:
    """The names that processes may use, according to the running calls; see `capsend.cluster.peers.Names`.

    Args:
        lives: {number: process} of the running processes.
    """

    def __init__(self, lives: Mapping[int, RemoteLife]) -> None:
        self._lives = lives

    def _shipment(self, root: int) -> Any:
        """Return the call of a process; None if the process has ended."""
        life = self._lives.get(root)
        return None if life is None else life.shipment

    def origin(self, root: int, *, is_child: bool) -> Origin | None:
        """Return the resolver of the names in messages of processes below *root*."""
        shipment = self._shipment(root)
        if shipment is None:
            return None
        origin: Origin = _Child(shipment) if is_child else shipment
        return origin

    def namer(self, root: int) -> Callable[[Any], object] | None:
        """Return the function that names classes for the processes below *root*."""
        shipment = self._shipment(root)
        return None if shipment is None else shipment.message_name

    def function(self, root: int, number: int, name: str, *, is_async: bool) -> Grant | None:  # noqa: ARG002 - as in the protocol
        """Return the grant of a function that a process was given."""
        shipment = self._shipment(root)
        return None if shipment is None else given_function(shipment, number)

    def describe(self, grant: Grant) -> list[Any] | None:  # noqa: ARG002 - as in the protocol
        """Return None: functions are given at the spawn only."""
        return None


def given_function(shipment: Any, number: int) -> FunctionGrant | None:
    """Return the grant of a host function by its index among the grants of a call; None if that grant is not a function."""
    grant = shipment.grants[number] if 0 <= number < len(shipment.grants) else None
    return grant if isinstance(grant, FunctionGrant) else None
