"""The way out of a process: operations that the host does, by the numbers in `capsend.codec.operations`."""

from __future__ import annotations

import wit_world


def request(operation: int, payload: str) -> str:
    """Ask the host for an operation and return its answer; both are text."""
    answer: str = wit_world.host(operation, payload)
    return answer


def deliver(answer: str) -> str:
    """Send the beginning of an answer ahead, in parts, and return the rest: one call carries 128 MiB at most."""
    # `capsend` is imported after this module, which the clock needs.
    from capsend.codec.operations import LARGEST_PAYLOAD, Operation

    start = 0
    while len(answer) - start > LARGEST_PAYLOAD:
        request(Operation.ANSWER, answer[start : start + LARGEST_PAYLOAD])
        start += LARGEST_PAYLOAD
    return answer[start:] if start else answer
