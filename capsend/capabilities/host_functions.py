"""Functions of the host that a process may call: `HostFunction`, whose capture is the permission."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import math
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, ParamSpec, TypeVar, final

import attrs

from capsend.capabilities.handles import Grant
from capsend.capabilities.signatures import Signature, signature_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST: Final = 366 * 86_400.0


@attrs.frozen
class HostCall:
    """One call of a function of the host by a process, after it ended.

    Attributes:
        process: the process's number.
        function: the function's name.
        arguments: {parameter: value}; empty when the arguments were refused.
        outcome: "returned"; "raised", an exception of the function's; "refused", before the function was called.
        error: what was raised, or why it was refused.
        seconds: how long it took.
    """

    process: int
    function: str
    arguments: Mapping[str, Any]
    outcome: Literal["returned", "raised", "refused"]
    error: BaseException | None
    seconds: float


@attrs.frozen
class Limits:
    """What one process may do with one function; None is no limit."""

    calls: int | None = None
    rate: float | None = None
    timeout: float | None = None
    log: Callable[[HostCall], object] | None = None


@attrs.frozen(eq=False)
class FunctionGrant(Grant):
    """The right to call a function of the host."""

    kind: ClassVar[str] = "function"
    refusal: ClassVar[str] = (
        "which functions of the host a process may call is settled when it starts. Capture the function, or pass it to spawn"
    )

    function: HostFunction[Any, Any]

    def describe(self) -> object:
        """Return its name, and whether it is awaited."""
        return [self.function.name, self.function.is_async]

    def handle(self) -> object:
        """Return the function itself."""
        return self.function

    def __str__(self) -> str:
        return f"the host's function {self.function.signature.text}{self.function.limits_text()}"


@final
class HostFunction(Generic[P, R]):
    """A function that runs here, in the host, whoever calls it: a process that captures it, or is passed it, may call it.

    Inside, it is called like any function; the process waits until it returns. An `async def` function is awaited inside and runs
    on an event loop of its own here; the process as a whole waits all the same. An ordinary call here is just a call.

    * Arguments are rebuilt without running any code that a process chose, and checked against the annotations before the function
      is called: number, names, classes, and what containers hold. What is *in* an instance of a class of yours is not checked.
      The result is checked as well.
    * Exceptions travel: inside, the one that was raised, with its args, fields, notes and members, if its class is known there; else its nearest
      base that is, or a `RuntimeError` with its name and text. Traceback, cause and context stay here, and so does what has no encoding.
    * It runs on a thread of its own per process, so functions for several processes must be safe for threads. Calls of one process
      come one after the other.
    * A process that is killed while it waits ends at once; the function goes on until it returns, or, if it is asynchronous, is cancelled.
    * Each call raises the audit event `capsend.host_call` with the process's number, the function's name and the arguments.

    Args:
        function: any callable with annotations: a function, a coroutine function, a bound method.

    Raises:
        TypeError: it is not callable, lacks an annotation, or has one that values cannot be checked against.

    Example:
        >>> import capsend
        >>> prices = {"tea": 3, "coffee": 4}
        >>> @capsend.host_function
        ... def price(sku: str) -> int:
        ...     return prices[sku]
        >>> capsend.spawn(lambda: price("tea") + price("coffee")).result()
        7

    Source: object capabilities (Dennis and Van Horn 1966; Miller, "Robust Composition", 2006).
    """

    def __init__(self, function: Callable[P, R], /) -> None:
        given: Any = function  # from callers without a type checker
        if not callable(given) or isinstance(given, type):
            raise TypeError(f"a host function is made of a function, not of {given!r}")
        self.__wrapped__ = function
        functools.update_wrapper(self, function, updated=())
        self.limits = Limits()
        self.name = getattr(function, "__qualname__", type(function).__qualname__).rpartition("<locals>.")[2]
        self.is_async = inspect.iscoroutinefunction(function)
        if self.is_async:
            importlib.import_module("asyncio")  # a call, which a process makes, is no time to import anything
        self._grant = FunctionGrant(self)
        # Wrong annotations are told here, where they are; a name that is still to be defined, when the function is given away.
        with contextlib.suppress(NameError):
            signature_of(function, self.name)

    @functools.cached_property
    def signature(self) -> Signature:
        """What arguments and results are checked against.

        Raises:
            TypeError: an annotation names what does not exist here.
        """
        try:
            return signature_of(self.__wrapped__, self.name)
        except NameError as error:
            raise TypeError(
                f"the annotations of {self.name} cannot be evaluated: {error}. What a process passes is checked against them: "
                "import the name outside of `if TYPE_CHECKING`, or define it"
            ) from None

    @property
    def __capsend_handle__(self) -> Grant:
        return self._grant

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, here."""
        return self.__wrapped__(*args, **kwargs)

    def limited(
        self,
        *,
        calls: int | None = None,
        rate: float | None = None,
        timeout: float | None = None,
        log: Callable[[HostCall], object] | None = None,
    ) -> HostFunction[P, R]:
        """Return the same function with limits, which hold for each process and all that it spawns; give it away instead of this one.

        Args:
            calls: how many calls a process can make; further ones raise `LimitExceeded` inside.
            rate: calls per second; a process that calls faster is made to wait. A second's worth can be made at once.
            timeout: seconds that a call may take; then `TimeoutError` is raised inside. An asynchronous function is cancelled, an
                ordinary one goes on and its result is dropped.
            log: called after each call, refused ones too, with a `HostCall`; what it raises is logged and changes nothing.

        Raises:
            TypeError: a limit is not a number, or `log` cannot be called.
            ValueError: a limit is not positive.
        """
        _check("calls", calls, int)
        _check("rate", rate, (int, float))
        _check("timeout", timeout, (int, float))
        if log is not None and not callable(log):
            raise TypeError(f"log must be a function that is given a HostCall, not {log!r}")
        made = HostFunction(self.__wrapped__)
        made.limits = Limits(calls=calls, rate=rate, timeout=timeout, log=log)
        return made

    def limits_text(self) -> str:
        """Return the limits as words, after a comma; empty when there are none."""
        limits = self.limits
        calls = "" if limits.calls is None else f", at most {limits.calls} calls"
        rate = "" if limits.rate is None else f", at most {limits.rate:g} calls per second"
        timeout = "" if limits.timeout is None else f", each at most {limits.timeout:g} s"
        return calls + rate + timeout

    def __reduce__(self) -> Any:
        raise TypeError("a HostFunction cannot be pickled: it is a right, and what is pickled can be made by anybody")

    def __repr__(self) -> str:
        return f"<HostFunction {self.name}{self.limits_text()}>"


def host_function(function: Callable[P, R], /) -> HostFunction[P, R]:
    """Make a function one that runs here, in the host, and that a process may call when it captures it or is passed it.

    The decorator for a `HostFunction`, whose documentation says what is promised.

    Raises:
        TypeError: it is not a function, lacks an annotation, or has one that values cannot be checked against.

    Example:
        >>> import capsend
        >>> @capsend.host_function
        ... def double(n: int) -> int:
        ...     return 2 * n
        >>> capsend.spawn(lambda: double(21)).result()
        42
    """
    return HostFunction(function)


def _check(name: str, value: Any, classes: type | tuple[type, ...]) -> None:
    if value is None:
        return
    if not isinstance(value, classes) or isinstance(value, bool):
        kind = "an int" if classes is int else "a number"
        raise TypeError(f"{name} must be {kind}, or None for no limit, not {value!r}")
    _check_range(name, value)


def _check_range(name: str, value: Any) -> None:
    if math.isnan(value) or not 0 < value <= _LONGEST * (1_000_000 if name != "timeout" else 1):
        raise ValueError(f"{name} must be more than 0 and not absurd, not {value}; None is no limit")
