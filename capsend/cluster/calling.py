"""Calls of home's functions by processes on nodes: home makes them, checks the arguments and counts the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from capsend.runtime.call_operations import HostCall, HostCalls
from capsend.runtime.transit import Transit
from capsend.waiting import Parker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from capsend.capabilities.handles import Grant
    from capsend.capabilities.host_functions import FunctionGrant
    from capsend.runtime.call_limits import Turns


class Numbered:
    """The grants behind the handles in a text of a process, by the process's numbers."""

    __slots__ = ("_grants",)

    def __init__(self, grants: Mapping[int, Grant]) -> None:
        self._grants = grants

    def get(self, number: int) -> Grant | None:
        """Return the grant of a number; None if the text has no such handle."""
        return self._grants.get(number)


class _Caller:
    """The thread that waits for a call on behalf of the process."""

    disturbed = False

    def __init__(self) -> None:
        self.interrupted = False
        self._parker = Parker()

    def park(self, seconds: float | None) -> None:
        """Wait; see `Parker.park`."""
        self._parker.park(seconds)

    def unpark(self) -> None:
        """End the wait."""
        self._parker.unpark()


class DistantCalls(HostCalls):
    """The calls of home's functions by one process on a node; `make_distant` runs on its own thread.

    Args:
        number: the number of the process.
        shipment: the call at the root of its tree; it resolves the names of classes.
        turns: the calls of its tree.
    """

    def __init__(self, number: int, shipment: Any, *, turns: Turns) -> None:
        super().__init__(number, Numbered({}), shipment, turns=turns, transit=Transit())  # type: ignore[arg-type]  # only asked for grants
        self._caller: _Caller | None = None
        self._is_over = False

    def make_distant(
        self, grant: FunctionGrant, text: str, *, segments: Sequence[bytes], grants: Mapping[int, Grant]
    ) -> tuple[str, str, Sequence[Grant], Sequence[bytes]] | None:
        """Make a call.

        Returns:
            ("v" or "e", the text of the result or exception, the grants behind its handles, the segments next to it);
            None when no waiter for it is left.
        """
        self._handles = Numbered(grants)  # type: ignore[assignment]  # as above
        caller = self._caller = _Caller()
        caller.interrupted = self._is_over
        call = HostCall(grant.function, text, self)
        call.segments = list(segments)
        if not self.make(caller, grant, call):
            return None
        answer = call.too_late or call.answer
        if answer.startswith("e"):
            return "e", answer[1:], (), ()
        return "v", answer, call.grants, call.result_segments

    def refuses(self, grant: Grant) -> str:
        """Return the reason why a grant cannot be part of a result to another machine; empty when it can."""
        return grant.refusal or grant.stays

    def interrupt(self) -> None:
        """Stop waiting for the call: the process has been stopped."""
        caller = self._caller
        if caller is not None:
            caller.interrupted = True
            caller.unpark()

    def end(self) -> None:
        """Begin no further calls."""
        self._is_over = True
        self.interrupt()

    def close(self) -> None:
        """End together with the process."""
        self.end()
        super().close()
