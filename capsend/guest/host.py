"""The way out of a process: the numbered operations that the host answers."""

import wit_world

STDOUT = 1
STDERR = 2
SLEEP = 3


def request(operation, payload):
    """Ask the host for an operation and return its answer; both are text."""
    return wit_world.host(operation, payload)
