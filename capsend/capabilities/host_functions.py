"""Functions of the host that a process may call: `HostFunction`, whose capture is the permission."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import math
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, ParamSpec, TypeVar, final, overload

import attrs

from capsend.capabilities.handles import Grant
from capsend.capabilities.signatures import Signature, signature_of
from capsend.source.modules import shown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST: Final = 366 * 86_400.0


@attrs.frozen
class HostCall:
    """One call of a function of the host by a process, after its end.

    Attributes:
        process: the process's number.
        function: the function's name.
        arguments: {parameter: value}; empty when the arguments were refused.
        outcome: "returned"; "raised", an exception of the function's own; "refused", before the function was called.
        error: the exception that was raised, or the reason of the refusal.
        seconds: duration of the call.
    """

    process: int
    function: str
    arguments: Mapping[str, Any]
    outcome: Literal["returned", "raised", "refused"]
    error: BaseException | None
    seconds: float


@attrs.frozen
class Limits:
    """Limits on the calls of a function by one process; None is no limit."""

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

    @property
    def stays(self) -> str:
        """The reason why the grant cannot be given to a process on another machine; empty for a function declared `remote`."""
        if self.function.remote:
            return ""
        return "it runs in this program, and may be called from this machine only. Instead: make it with host_function(remote=True)"

    def describe(self) -> object:
        """Return the function's name, and whether it is awaited."""
        return [self.function.name, self.function.is_async]

    def handle(self) -> object:
        """Return the function itself."""
        return self.function

    def __str__(self) -> str:
        return f"the host's function {self.function.signature.text}{self.function.limits_text()}"


@final
class HostFunction(Generic[P, R]):
    """A function of the host that a process may call.

    To capture it, or to pass it as an argument, is to give the permission.

    In a guest it is called like any function; the process waits until it returns. An `async def` function is awaited in
    the guest and runs on an event loop in the host; the whole process waits all the same. A call from the host is an
    ordinary call.

    * Arguments are rebuilt without running any code that a process chose, and checked against the annotations before the function is
      called: number, names, classes, and the elements of containers. The fields of instances of your own classes are not checked. The
      result is checked as well.
    * Exceptions travel: the guest gets the exception that was raised, with its args, fields, notes and members, if the guest knows its
      class; else one of the nearest base that the guest knows, or a `RuntimeError` with its name and text. Traceback, cause and context
      stay on the host, and so do parts that have no encoding.
    * Each process has its own thread for these calls, so functions for several processes must be thread-safe.
    * A process that is killed while it waits ends at once; the function goes on until it returns, or, if it is asynchronous, is cancelled.
    * Each call raises the audit event `capsend.host_call` with the process's number, the function's name and the arguments.

    Ordering:
        Calls of one process run one after the other, in the order in which the process makes them.

    Args:
        function: any callable with annotations: a function, a coroutine function, a bound method.
        remote: True if processes on other nodes of a cluster may call it too; it always runs in this program.

    Raises:
        TypeError: *function* is not callable, lacks an annotation, or has one that values cannot be checked against.

    Example:
        >>> import capsend
        >>> prices = {"tea": 3, "coffee": 4}
        >>> @capsend.host_function
        ... def price(sku: str) -> int:
        ...     return prices[sku]
        >>> capsend.spawn(lambda: price("tea") + price("coffee")).result()
        7

    Source:
        Object capabilities (Dennis and Van Horn 1966; Miller, "Robust Composition", 2006); audit events are PEP 578's.
    """

    def __init__(self, function: Callable[P, R], /, *, remote: bool = False) -> None:
        given: Any = function  # from callers without a type checker
        if not callable(given) or isinstance(given, type):
            raise TypeError(f"a host function is made of a function, not of {given!r}")
        self.__wrapped__ = function
        functools.update_wrapper(self, function, updated=())
        self.limits: Limits = Limits()
        self.remote: bool = remote
        self.name: str = shown_name(getattr(function, "__qualname__", type(function).__qualname__))
        self.is_async: bool = inspect.iscoroutinefunction(function)
        if self.is_async:
            importlib.import_module("asyncio")  # a call, which a process makes, is no time to import anything
        self._grant = FunctionGrant(self)
        # Wrong annotations are reported at the definition; a name that is still to be defined, when the function is given away.
        with contextlib.suppress(NameError):
            signature_of(function, self.name)

    @functools.cached_property
    def signature(self) -> Signature:
        """The parameters and the result, each with its check.

        Raises:
            TypeError: an annotation names an object that does not exist on the host.
        """
        try:
            return signature_of(self.__wrapped__, self.name)
        except NameError as error:
            raise TypeError(
                f"the annotations of {self.name} cannot be evaluated: {error}. The arguments that a process passes are checked against them: "
                "import the name outside of `if TYPE_CHECKING`, or define it"
            ) from None

    @property
    def __capsend_handle__(self) -> Grant:
        return self._grant

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, in the host."""
        return self.__wrapped__(*args, **kwargs)

    def limited(
        self,
        *,
        calls: int | None = None,
        rate: float | None = None,
        timeout: float | None = None,
        log: Callable[[HostCall], object] | None = None,
    ) -> HostFunction[P, R]:
        """Return the same function with limits, to give away in place of this one.

        A process and its descendants share the limits.

        Args:
            calls: calls that a process can make; further ones raise `LimitExceeded` in the guest.
            rate: calls per second; a process that calls faster is made to wait. A second's worth can be made at once.
            timeout: seconds that a call may take; then `TimeoutError` is raised in the guest. An asynchronous function is cancelled, an
                ordinary one goes on and its result is dropped.
            log: called with a `HostCall` after each call, refused ones too; an exception of `log` is logged and changes nothing.

        Raises:
            TypeError: a limit is not a number, or `log` cannot be called.
            ValueError: a limit is not positive.
        """
        _check("calls", calls, int)
        _check("rate", rate, (int, float))
        _check("timeout", timeout, (int, float))
        if log is not None and not callable(log):
            raise TypeError(f"log must be a function that is given a HostCall, not {log!r}")
        made = HostFunction(self.__wrapped__, remote=self.remote)
        made.limits = Limits(calls=calls, rate=rate, timeout=timeout, log=log)
        return made

    def limits_text(self) -> str:
        """Return the limits as words, such as `, at most 3 calls, each at most 1.5 s`; empty without limits."""
        limits = self.limits
        calls = "" if limits.calls is None else f", at most {limits.calls} calls"
        rate = "" if limits.rate is None else f", at most {limits.rate:g} calls per second"
        timeout = "" if limits.timeout is None else f", each at most {limits.timeout:g} s"
        return calls + rate + timeout

    def __reduce__(self) -> Any:
        raise TypeError("a HostFunction cannot be pickled: it is a right, and anyone can write a pickle")

    def __repr__(self) -> str:
        return f"<HostFunction {self.name}{self.limits_text()}>"


@overload
def host_function(function: Callable[P, R], /, *, remote: bool = False) -> HostFunction[P, R]: ...
@overload
def host_function(*, remote: bool) -> Callable[[Callable[P, R]], HostFunction[P, R]]: ...
def host_function(function: Callable[..., Any] | None = None, /, *, remote: bool = False) -> Any:
    """Turn a function into a `HostFunction`: a process can call it and it runs in the host.

    The decorator for a `HostFunction`, whose documentation has the guarantees.

    Args:
        function: the function; none where the decorator is written with `remote`.
        remote: True if processes on other nodes of a cluster may call it too; it always runs in this program.

    Raises:
        TypeError: *function* is not callable, lacks an annotation, or has one that values cannot be checked against.

    Example:
        >>> import capsend
        >>> @capsend.host_function
        ... def double(n: int) -> int:
        ...     return 2 * n
        >>> capsend.spawn(lambda: double(21)).result()
        42
    """
    if function is None:
        return functools.partial(HostFunction, remote=remote)
    return HostFunction(function, remote=remote)


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
