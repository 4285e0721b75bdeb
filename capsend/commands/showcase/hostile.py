"""Hostile functions: each takes all data that it can get, or ends the program that runs it."""

from __future__ import annotations

import opcode
import os
import socket
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend import Mailbox


def hoard() -> NoReturn:
    """Take memory without end."""
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def spin() -> NoReturn:
    """Run for ever, and catch whatever would end it."""
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001, S112 - the meaning of the program
            continue


def steal() -> dict[str, str]:
    """Return {attempt to reach the machine: class of the error}; SUCCEEDED for an attempt that worked."""
    attempts: dict[str, Callable[[], object]] = {
        "open('/etc/passwd')": lambda: open("/etc/passwd", encoding="ascii").close(),
        "os.listdir('/')": lambda: os.listdir("/"),
        "a socket": lambda: socket.create_connection(("127.0.0.1", 443)),
        "os.environ['PATH']": lambda: os.environ["PATH"],
    }
    outcomes = {}
    for name, attempt in attempts.items():
        try:
            attempt()
        except Exception as error:  # noqa: BLE001 - every error is part of the answer
            outcomes[name] = type(error).__name__
        else:
            outcomes[name] = "SUCCEEDED"
    return outcomes


def nothing() -> int:
    """Return a number."""
    return 1


def crash() -> None:
    """Run bytecode that reads a constant gigabytes beyond the last one: in an ordinary Python a segmentation fault."""
    far = [(opcode.opmap["EXTENDED_ARG"], byte) for byte in (0x3F, 0xFF, 0xFF)]
    steps = [(opcode.opmap["RESUME"], 0), *far, (opcode.opmap["LOAD_CONST"], 0xFF), (opcode.opmap["RETURN_VALUE"], 0)]
    exec(nothing.__code__.replace(co_code=bytes(byte for step in steps for byte in step)))  # noqa: S102 - as above


def bystander(inbox: Mailbox[int]) -> int:
    """Answer with twice the received number."""
    return 2 * inbox.receive()
