"""Spawning: `spawn`, functions made to be spawned, and the check of captures."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar, final, overload

from capsend.exceptions import hide_own_frames, shown_at_caller
from capsend.process import register_spawner

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from capsend.mailbox.mailbox import Mailbox
    from capsend.process import Actor, ForeignFunction, Process

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")
M = TypeVar("M")


@final
class Spawnable(Generic[P, R]):
    """A function made to be spawned, by `@process`; an ordinary call runs it on the host."""

    def __init__(self, function: Callable[P, R]) -> None:
        # Set directly, because this class refuses assignments to attributes.
        names = (name for name in functools.WRAPPER_ASSIGNMENTS if hasattr(function, name))
        self.__dict__.update({name: getattr(function, name) for name in names}, __wrapped__=function)

    @property
    def __capsend_function__(self) -> Callable[P, R]:
        """The function as it was written."""
        function: Callable[P, R] = self.__dict__["__wrapped__"]
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in the calling program, without a process."""
        return self.__capsend_function__(*args, **kwargs)

    @overload
    def spawn(self: Callable[Q, Coroutine[Any, Any, T]], *args: Q.args, **kwargs: Q.kwargs) -> Process[T]: ...
    @overload
    def spawn(self: Callable[Q, T], *args: Q.args, **kwargs: Q.kwargs) -> Process[T]: ...
    @overload
    def spawn(
        self: Callable[Concatenate[Mailbox[M], Q], Coroutine[Any, Any, T]], *args: Q.args, **kwargs: Q.kwargs
    ) -> Actor[M, T]: ...
    @overload
    def spawn(self: Callable[Concatenate[Mailbox[M], Q], T], *args: Q.args, **kwargs: Q.kwargs) -> Actor[M, T]: ...
    def spawn(self, *args: P.args, **kwargs: P.kwargs) -> Process[R]:
        """Run the function in a new process, in the default environment; *args* and *kwargs* are its own."""
        from capsend.environment import default, started

        try:
            return started(default(), self.__capsend_function__, args, kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Bind the function to an instance, as a method; the bound function is spawnable too, if the instance can be sent."""
        if instance is None:
            return self
        bind = getattr(self.__capsend_function__, "__get__", None)
        return Spawnable(bind(instance, owner) if bind else types.MethodType(self.__capsend_function__, instance))

    def __setattr__(self, name: str, value: object) -> None:
        message = f"a Spawnable cannot be changed: {name} stays as it is"
        raise AttributeError(message)

    def __repr__(self) -> str:
        return f"<Spawnable {getattr(self, '__qualname__', repr(self.__capsend_function__))}>"


@final
class _Spawn:
    """The type of `spawn`: type checkers and their plugins see an object with one signature."""

    @overload
    def __call__(self, fn: ForeignFunction[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Actor[object, R]: ...
    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Mailbox[M], P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Actor[M, R]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Mailbox[M], P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Actor[M, R]: ...
    def __call__(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]:
        """Run `fn(*args, **kwargs)` in a new process, in the default `Environment`, and return its handle at once.

        Captures of `fn` must be `ProcessSend`; arguments and the result must be `Serializable` and are copied. Captures and arguments are
        checked before the process starts, and so is the number of arguments. The coroutine of an `async def` function runs on an event loop
        in the guest, and its value is the result.

        Raises:
            TypeError: `fn` is not a function, or the arguments do not fit its signature.
            CaptureError: a capture of `fn` cannot be sent; the error lists all such captures.
            SerializationError: an argument cannot be sent by value.
            ImageError: the image cannot be built, or lacks a module that `fn` needs.

        Example:
            >>> import capsend
            >>> numbers = (1, 2, 3)
            >>> capsend.spawn(lambda: sum(numbers)).result()
            6

        Source:
            The split between `ProcessSend` and `Serializable` follows Rust's `Send` and Lunatic's processes.
        """
        from capsend.environment import default, started

        try:
            return started(default(), fn, args, kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise

    def __init__(self) -> None:
        self.__doc__ = type(self).__call__.__doc__  # `help(spawn)` describes the call

    def __repr__(self) -> str:
        return "<capsend.spawn>"


spawn: Final = _Spawn()
register_spawner(spawn)


def process(fn: Callable[P, R], /) -> Spawnable[P, R]:
    """Declare a function that is made to be spawned, and check its captures at its definition.

    Names that are not defined yet are checked when the function is spawned.

    Raises:
        TypeError: `fn` is not a function.
        CaptureError: a capture of `fn` cannot be sent; the error lists all such captures.

    Example:
        >>> import capsend
        >>> @capsend.process
        ... def square(n: int) -> int:
        ...     return n * n
        >>> square(3), square.spawn(3).result()
        (9, 9)
    """
    try:
        _check(fn, defining=True)
    except Exception as error:
        hide_own_frames(error)
        raise
    return Spawnable(fn)


@shown_at_caller
def check(fn: Callable[..., object], /) -> None:
    """Raise the error that `spawn` would raise for this function's captures, without running the function.

    Raises:
        TypeError: `fn` is not a function.
        CaptureError: a capture of `fn` cannot be sent; the error lists all such captures.

    Example:
        >>> import capsend
        >>> box = []
        >>> capsend.check(lambda: box.append(1))
        Traceback (most recent call last):
            ...
        capsend.exceptions.CaptureError: ...
    """
    _check(fn, defining=False)


def _check(fn: Callable[..., object], *, defining: bool) -> None:
    # Not at the top: a program that only imports capsend does not need the codec.
    from capsend.codec.instances import class_attribute, defines

    if defines(type(fn), "__capsend_ship__"):
        return  # a function of a module in another language captures nothing
    from_text = class_attribute(type(fn), "__capsend_check__")
    if from_text is not None:
        from_text(fn)
        return
    from capsend.environment import default
    from capsend.shipping import ship

    ship.check(fn, knows=default().image.knows, defining=defining)
