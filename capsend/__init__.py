"""Run functions in processes with memory of their own; captures that cannot be sent are refused before a function runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend.exceptions import (
    CapsendError,
    CaptureError,
    ImageError,
    LimitExceeded,
    MemoryLimitExceeded,
    OutputLimitExceeded,
    ProcessFailed,
    ProcessKilled,
    SerializationError,
    TimeLimitExceeded,
)
from capsend.exceptions import (
    NodeLost as NodeLost,
)
from capsend.exceptions import SnapshotError as SnapshotError
from capsend.process import Process
from capsend.spawning import Spawnable, check, process, spawn
from capsend.traits.markers import PerProcess, ProcessSend, Serializable, not_process_send, unsafe_process_send

if TYPE_CHECKING:
    from capsend import registry as registry
    from capsend.capabilities.folders import Dir
    from capsend.capabilities.host_functions import HostFunction
    from capsend.capabilities.host_functions import host_function as host_function
    from capsend.cluster.cluster import Cluster as Cluster
    from capsend.cluster.cluster import Node as Node
    from capsend.environment import Environment
    from capsend.executor import Executor
    from capsend.group import ProcessGroup
    from capsend.image.image import Image
    from capsend.mailbox.address import Address
    from capsend.mailbox.mailbox import Mailbox
    from capsend.runtime.running import processes as processes
    from capsend.session.session import Session
    from capsend.session.session import Snapshot as Snapshot
    from capsend.shipping.records import Record as Record
    from capsend.source_text.source import Source
    from capsend.streams import stream as stream
    from capsend.supervisor import Supervisor as Supervisor
    from capsend.traits.asserted import process_send
    from capsend.wasm.module import WasmFunction as WasmFunction
    from capsend.wasm.module import WasmModule

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
    "ProcessFailed",
    "ProcessGroup",
    "ProcessKilled",
    "ProcessSend",
    "Serializable",
    "SerializationError",
    "Session",
    "Source",
    "Spawnable",
    "TimeLimitExceeded",
    "WasmModule",
    "check",
    "not_process_send",
    "process",
    "process_send",
    "spawn",
    "unsafe_process_send",
]

# Programs that only declare spawnable functions, or only import capsend, do not wait for these modules.
_LATER: Final = {
    "Address": "mailbox.address",
    "Cluster": "cluster.cluster",
    "Dir": "capabilities.folders",
    "Environment": "environment",
    "Executor": "executor",
    "HostFunction": "capabilities.host_functions",
    "Image": "image.image",
    "Mailbox": "mailbox.mailbox",
    "Node": "cluster.cluster",
    "ProcessGroup": "group",
    "Record": "shipping.records",
    "Session": "session.session",
    "Snapshot": "session.session",
    "Source": "source_text.source",
    "Supervisor": "supervisor",
    "WasmFunction": "wasm.module",
    "WasmModule": "wasm.module",
    "host_function": "capabilities.host_functions",
    "process_send": "traits.asserted",
    "processes": "runtime.running",
    "stream": "streams",
}


_MODULES: Final = frozenset({"registry"})


def __getattr__(name: str) -> object:
    """Import a rarely used public name at its first use."""
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"capsend.{name}")
    if name not in _LATER:
        message = f"module 'capsend' has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(importlib.import_module(f"capsend.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LATER, *_MODULES})
