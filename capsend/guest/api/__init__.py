"""capsend as a process sees it: decorators and traits do nothing here, a `Spawnable` can be called, the rest says that it makes no sense yet."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Annotated, Any, Generic, NoReturn, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

from capsend_guest.handles import WasmModule  # type: ignore[import-not-found]  # noqa: F401 - as above
from capsend_guest.host_functions import HostFunction  # type: ignore[import-not-found]  # noqa: F401 - as above
from capsend_guest.mail import Address, Mailbox  # type: ignore[import-not-found]  # noqa: F401 - shown to programs; the name is the image's

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
_STAYS = "__capsend_stays__"


class CapsendError(Exception):
    """The root of every error that capsend raises."""


class CaptureError(CapsendError, TypeError):
    """Raised in the host; here so that it can be named."""


class SerializationError(CapsendError, TypeError):
    """Raised in the host; here so that it can be named."""


class ProcessFailed(CapsendError):
    """Raised in the host; here so that it can be named."""


class ProcessExited(ProcessFailed):
    """Raised in the host; here so that it can be named."""


class ProcessInterrupted(ProcessFailed):
    """Raised in the host; here so that it can be named."""


class ProcessKilled(CapsendError):
    """Raised in the host; here so that it can be named."""


class LimitExceeded(CapsendError):
    """Raised in the host; here so that it can be named."""


class TimeLimitExceeded(LimitExceeded, TimeoutError):
    """Raised in the host; here so that it can be named."""


class MemoryLimitExceeded(LimitExceeded, MemoryError):
    """Raised in the host; here so that it can be named."""


class OutputLimitExceeded(LimitExceeded):
    """Raised in the host; here so that it can be named."""


class ImageError(CapsendError):
    """Raised in the host; here so that it can be named."""


class ProcessSend(Protocol):
    """The marker trait; it has been checked before the process started."""


class Serializable(Protocol):
    """The marker trait; it has been checked before the process started."""


PerProcess = Annotated[T, "capsend.PerProcess"]


def _no_spawn(what: str) -> NoReturn:
    raise CapsendError(
        f"{what} cannot be used inside a process yet: only the host spawns processes. Return what is to be done, and spawn it there."
    )


class Spawnable(Generic[P, R]):
    """A function that was decorated with @process; inside a process it can be called."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.__wrapped__ = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, in this process."""
        return self.__wrapped__(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind like a function."""
        return self if instance is None else functools.partial(self, instance)

    def spawn(self, *args: P.args, **kwargs: P.kwargs) -> NoReturn:
        """Say that a process cannot spawn."""
        _no_spawn(f"{self.__wrapped__.__qualname__}.spawn")


def process(function: Callable[P, R]) -> Spawnable[P, R]:
    """Wrap a function, as in the host."""
    return Spawnable(function)


def spawn(function: Any, /, *args: Any, **kwargs: Any) -> NoReturn:
    """Say that a process cannot spawn."""
    _no_spawn("spawn")


def host_function(function: Any, /) -> NoReturn:
    """Say that functions of the host are made there."""
    name = getattr(function, "__qualname__", type(function).__name__)
    raise CapsendError(
        f"{name} runs inside and cannot become a function of the host. Decorate it there, and capture it"
    )


def check(function: Any) -> None:
    """Do nothing: what is inside has been checked."""
    if not callable(function):
        raise TypeError(f"check needs a callable, not {type(function).__name__}")


def process_send(cls: type) -> type:
    """Return the class: the claim has been checked."""
    return cls


def not_process_send(reason: str) -> Callable[[type], type]:
    """Return a decorator that keeps instances of the class in this process."""
    return lambda cls: _mark(cls, reason)


def unsafe_process_send(reason: str) -> Callable[[type], type]:
    """Return a decorator that lets instances travel, whatever the base classes say."""
    return lambda cls: _mark(cls, "")


def _mark(cls: type, reason: str) -> type:
    setattr(cls, _STAYS, reason)
    return cls


class _HostOnly:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_spawn(type(self).__name__)

    @classmethod
    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class Process(_HostOnly):
    """A handle of the host."""


class ProcessGroup(_HostOnly):
    """Made in the host."""


class Supervisor(_HostOnly):
    """Made in the host."""


class Dir(_HostOnly):
    """Made in the host; inside, a folder that was granted is a `pathlib.Path`."""


class Environment(_HostOnly):
    """Made in the host."""


class Image(_HostOnly):
    """Made in the host."""


class Executor(_HostOnly):
    """Made in the host."""


__all__ = [name for name, value in list(globals().items()) if not name.startswith("_") and not inspect.ismodule(value)]
