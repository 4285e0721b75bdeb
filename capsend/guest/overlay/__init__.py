"""capsend in a guest: the same names and rules, mostly the host's code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from capsend_guest import inbox
from capsend_guest.address import Address
from capsend_guest.host_functions import HostFunction
from capsend_guest.mailbox import Mailbox

from capsend.capabilities.folders import Dir
from capsend.capabilities.host_functions import host_function
from capsend.environment import Environment
from capsend.exceptions import (
    CapsendError,
    CaptureError,
    ImageError,
    LimitExceeded,
    MemoryLimitExceeded,
    OutputLimitExceeded,
    ProcessExited,
    ProcessFailed,
    ProcessInterrupted,
    ProcessKilled,
    SerializationError,
    TimeLimitExceeded,
)
from capsend.group import ProcessGroup
from capsend.image.image import Image
from capsend.process import Process
from capsend.shipping.records import Record
from capsend.source_text.source import Source
from capsend.spawning import Spawnable, check, spawn
from capsend.spawning import process as _process
from capsend.supervisor import Supervisor
from capsend.traits.asserted import process_send as _process_send
from capsend.traits.markers import PerProcess, ProcessSend, Serializable, not_process_send, unsafe_process_send
from capsend.wasm.module import WasmFunction, WasmModule

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Address",
    "CapsendError",
    "CaptureError",
    "Dir",
    "Environment",
    "Executor",
    "HostFunction",
    "Image",
    "ImageError",
    "LimitExceeded",
    "Mailbox",
    "MemoryLimitExceeded",
    "OutputLimitExceeded",
    "PerProcess",
    "Process",
    "ProcessExited",
    "ProcessFailed",
    "ProcessGroup",
    "ProcessInterrupted",
    "ProcessKilled",
    "ProcessSend",
    "Record",
    "Serializable",
    "SerializationError",
    "Session",
    "Source",
    "Spawnable",
    "Supervisor",
    "TimeLimitExceeded",
    "WasmFunction",
    "WasmModule",
    "check",
    "host_function",
    "not_process_send",
    "process",
    "process_send",
    "spawn",
    "unsafe_process_send",
]


def process(fn: Callable[..., Any], /) -> Any:
    """Declare a function that is meant to be spawned; a function that was sent has been checked."""
    return _process(fn) if _is_running() else Spawnable(fn)


def processes() -> NoReturn:
    """Refuse: only the host has a list of all processes."""
    raise CapsendError(
        "capsend.processes() cannot be used inside a process: it would reveal processes that this one was not given. Keep the handles from spawn"
    )


def process_send(cls: type) -> type:
    """Assert that a class is ProcessSend; a class that was sent has been checked."""
    return _process_send(cls) if _is_running() else cls


def _is_running() -> bool:
    program = inbox.program()
    return program is not None and bool(program.is_running)


class Session:
    """Only on the host: a process waits for its children, and cannot interrupt them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise CapsendError(
            "a Session cannot be used inside a process. Spawn a Source for each text, or an actor that keeps the state"
        )


class Executor:
    """Only on the host: the futures are for threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise CapsendError(
            "an Executor cannot be used inside a process, which has no threads to wait for its futures. "
            "Use a ProcessGroup, or await the handles that spawn returns"
        )
