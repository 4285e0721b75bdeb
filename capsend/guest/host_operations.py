"""Requests to the host: operations, by the numbers in `capsend.codec.operations`."""

from __future__ import annotations

import wit_world


def request(operation: int, payload: str) -> str:
    """Request an operation of the host and return the answer; both are text."""
    answer: str = wit_world.host(operation, payload)
    return answer


def deliver(answer: str) -> str:
    """Send the first parts of an answer ahead, and return the last part: one call carries at most 128 MiB."""
    # `capsend` is imported after this module, which the clock needs.
    from capsend.codec.operations import LARGEST_PAYLOAD, Operation

    start = 0
    while len(answer) - start > LARGEST_PAYLOAD:
        request(Operation.ANSWER, answer[start : start + LARGEST_PAYLOAD])
        start += LARGEST_PAYLOAD
    return answer[start:] if start else answer
