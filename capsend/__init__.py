"""Run a function in a process with memory of its own, and be told before it runs when a capture cannot go along."""

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
from capsend.traits import PerProcess, ProcessSend, Serializable, not_process_send, unsafe_process_send

__all__ = [
    "CapsendError",
    "CaptureError",
    "ImageError",
    "LimitExceeded",
    "MemoryLimitExceeded",
    "OutputLimitExceeded",
    "PerProcess",
    "ProcessFailed",
    "ProcessKilled",
    "ProcessSend",
    "Serializable",
    "SerializationError",
    "TimeLimitExceeded",
    "not_process_send",
    "unsafe_process_send",
]
