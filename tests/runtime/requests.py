"""Requests of a hostile interpreter for children, and a child that waits for an order."""

from __future__ import annotations

import json
import sys
from typing import Any

from capsend import (
    Address,
    Mailbox,
)

PATIENCE = 30.0


def ask(operation, payload):
    """A host operation, as the hostile interpreter inside sees it."""
    return sys.modules["wit_world"].host(operation, payload)


def spawn_raw(module, name, *args, **head):
    """Have the host start a function of the image, past everything that is polite; return the answer."""
    codec = sys.modules["capsend.codec.text"]
    call = "0:" + codec.encode((args, {}), externals=lambda _: None)
    program = f'{{"entry":0,"steps":[["n","{module}","{name}"]]}}'
    return ask(50, f"{json.dumps({'name': name, **head})}\n{program}\n{call}")


def number_of(answer):
    """The handle that was answered with."""
    return json.loads(answer)[0][0]


def idle(inbox: Mailbox[Any], ready: Address[Any]):
    """Give its address away, and wait for the order to end."""
    ready.send(inbox.address)
    order = inbox.receive()
    if order == "raise":
        raise ValueError("ordered to")
    return order
