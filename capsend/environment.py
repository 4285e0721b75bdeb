"""Environments: the limits of a process, the targets of its output, and spawning in an environment."""

from __future__ import annotations

import collections.abc
import functools
import math
import re
import sys
import time
import types
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, get_args, overload

import attrs

from capsend.codec.instances import class_attribute
from capsend.exceptions import hide_own_frames
from capsend.image.image import Image
from capsend.mailbox.bounds import MESSAGES, SIZE, Policy
from capsend.process import Actor, ForeignFunction, Process
from capsend.runtime.operations import OPERATIONS
from capsend.runtime.output import to_stderr, to_stdout
from capsend.runtime.running import start

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

    from capsend.mailbox.mailbox import Mailbox
    from capsend.outcome import Outcome
    from capsend.process import Life
    from capsend.shipping.ship import Shipment

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M")

MIB: Final = 1 << 20
SMALLEST_MEMORY: Final = 64 * MIB
"""The least memory of a process that runs Python, in bytes."""

_PAGE: Final = 65_536
LARGEST_MEMORY: Final = 4096 * MIB
LONGEST_TIMEOUT: Final = 366 * 86_400.0
MOST_PROCESSES: Final = 10_000
_LONE: Final = re.compile("[\ud800-\udfff]")
_MOST_MESSAGES: Final = 10_000_000


class Variables(collections.abc.Mapping[str, str]):
    """Environment variables as an immutable value. Their text may be a secret and is never shown."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __hash__(self) -> int:
        return hash(frozenset(self._texts.items()))

    def __repr__(self) -> str:
        return f"<variables {', '.join(self._texts) or 'none'}>"


# Validated values come from callers without a type checker: hence Any.


def _between(smallest: int, largest: int, unit: str, why: str = "") -> Callable[[Any, attrs.Attribute[int], Any], None]:
    """Return a validator of whole numbers.

    Args:
        smallest: the lower bound, which is allowed.
        largest: the upper bound, which is allowed.
        unit: the unit, in the plural.
        why: the end of the message for a number beyond the bounds, such as the reason of a bound.
    """

    def check(_environment: object, field: attrs.Attribute[int], value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            message = f"{field.name} must be a number of {unit}, an int, not {value!r}"
            raise TypeError(message)
        if not smallest <= value <= largest:
            message = f"{field.name} must be between {smallest} and {largest} {unit}, not {value}{why and f': {why}'}"
            raise ValueError(message)

    return check


def _check_seconds(_environment: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        message = f"{field.name} must be a number of seconds, or None for no limit, not {value!r}"
        raise TypeError(message)
    if math.isnan(value) or not 0 < value <= LONGEST_TIMEOUT:
        message = f"{field.name} must be more than 0 and at most {LONGEST_TIMEOUT:.0f} s (a year), not {value}; None is no limit"
        raise ValueError(message)


def _check_cpu(environment: object, field: attrs.Attribute[Any], value: Any) -> None:
    _check_seconds(environment, field, value)
    # In a guest the limit is the host's to keep.
    if value is not None and sys.platform != "wasi" and not hasattr(time, "pthread_getcpuclockid"):
        message = "cpu cannot be limited on this system: it does not report the CPU time of a thread. Use timeout"
        raise ValueError(message)


def _variables(value: Any) -> Mapping[str, str]:
    if not isinstance(value, collections.abc.Mapping):
        message = f"env must be a dict of variables, such as {{'TZ': 'UTC'}}, not {value!r}"
        raise TypeError(message)
    for name, text in value.items():
        # The value stays out of the message: it may be a secret.
        if not isinstance(name, str) or not isinstance(text, str):
            message = f"env must map names to text, both str, and {name!r} does not: {type(name).__name__} to {type(text).__name__}"
            raise TypeError(message)
        if not name or "=" in name or "\0" in name + text or _LONE.search(name + text):
            message = (
                f"env: {name!r} cannot be a variable: a name is not empty and holds no '='. "
                "Neither it nor its value holds a NUL or a lone surrogate"
            )
            raise ValueError(message)
    return Variables(value)


def _check_policy(_environment: object, _field: attrs.Attribute[Any], value: Any) -> None:
    if value not in get_args(Policy):
        message = f"mailbox_full must be one of {', '.join(map(repr, get_args(Policy)))}, not {value!r}"
        raise ValueError(message)


def _check_image(_environment: object, _field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, Image):
        message = f"image must be an Image, such as Image(packages=['rich']), not {value!r}"
        raise TypeError(message)


_check_some_tree_memory = _between(0, 1 << 50, "bytes", "a petabyte is absurd")


def _check_tree_memory(environment: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is not None:
        _check_some_tree_memory(environment, field, value)


def _check_target(_environment: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not callable(value):
        message = (
            f"{field.name} must be a function that is given text, such as `lines.append` or `file.write`, "
            f"or None for nowhere, not {value!r}"
        )
        raise TypeError(message)


class Place(Protocol):
    """A place for processes outside this program: a cluster, or one of its nodes."""

    @property
    def cpus(self) -> int:
        """The number of its processors."""

    def start(self, shipment: Any, environment: Environment) -> Life:
        """Start a process; arguments as those of `capsend.runtime.running.start`.

        Raises:
            CapsendError: the call cannot leave this machine, or the place has no node.
        """


def _check_place(_environment: object, _field: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not (callable(getattr(value, "start", None)) and hasattr(value, "cpus")):
        message = f"on must be a Cluster or one of its nodes, or None for this program, not {value!r}"
        raise TypeError(message)


@attrs.frozen(kw_only=True)
class Environment:
    """The limits of a process, its image and the targets of its output. Limits are on by default.

    An environment is a value: it can be kept, compared and shared, and spawning does not change it.

    Args:
        memory: bytes that the process can have, the interpreter's own 50 million included: a process that runs Python needs at least 64
            MiB.
        timeout: seconds of wall-clock time from the moment when its thread begins, sleeps included; None for no limit.
        cpu: seconds of CPU time that it can use, sleeps and waits not counted; None for no limit but the timeout.
        output: bytes that it can write to its standard output and standard error together.
        result: bytes that its result can take in transit.
        mailbox: messages that its mailbox holds.
        mailbox_bytes: bytes that its mailbox holds; no single message can be larger.
        mailbox_full: the fate of a message that does not fit: "block" lets its sender wait, "fail" raises `LimitExceeded` in the sender,
            "drop_oldest" drops the oldest message and counts it.
        processes: processes that it and its descendants can have running at a time, not counting itself; with 0 it
            cannot spawn.
        tree_memory: bytes that all of those may have together, each counted with its `memory`; None for eight times `memory`.
        image: the image that the process starts from.
        env: {name: value} of its environment variables, `os.environ` in the guest; the host's variables are not inherited.
        stdout: called with the text of one or several whole lines; the default writes them to the host's `sys.stdout`
            of that moment; None discards them. The process waits for the call, which runs on the process's thread.
        stderr: the same for standard error.
        on: the cluster or cluster node on which the process runs; None for this program.

    Raises:
        TypeError: a limit is not a number, or a target of output cannot be called.
        ValueError: a limit is negative, zero or absurd.

    Example:
        >>> import capsend
        >>> lines = []
        >>> small = capsend.Environment(memory=256 << 20, timeout=10, stdout=lines.append)
        >>> small.spawn(print, "hello").result()
        >>> lines == ["hello" + chr(10)]
        True
    """

    memory: int = attrs.field(
        default=1024 * MIB,
        validator=_between(
            _PAGE, LARGEST_MEMORY, "bytes", "the bounds are one page of WebAssembly and 32-bit addresses"
        ),
    )
    timeout: float | None = attrs.field(default=300.0, validator=_check_seconds)
    cpu: float | None = attrs.field(default=None, validator=_check_cpu)
    output: int = attrs.field(default=16 * MIB, validator=_between(0, 1 << 40, "bytes", "a terabyte is absurd"))
    result: int = attrs.field(
        default=256 * MIB, validator=_between(1024, 1 << 32, "bytes", "a process has 32-bit addresses")
    )
    mailbox: int = attrs.field(default=MESSAGES, validator=_between(1, _MOST_MESSAGES, "messages"))
    mailbox_bytes: int = attrs.field(
        default=SIZE, validator=_between(1024, 1 << 32, "bytes", "a process has 32-bit addresses")
    )
    mailbox_full: Policy = attrs.field(default="block", validator=_check_policy)
    processes: int = attrs.field(
        default=100, validator=_between(0, MOST_PROCESSES, "processes", "with 0 a process cannot spawn")
    )
    tree_memory: int | None = attrs.field(default=None, validator=_check_tree_memory)
    image: Image = attrs.field(factory=Image, validator=_check_image)
    env: Mapping[str, str] = attrs.field(factory=dict, converter=_variables)
    stdout: Callable[[str], object] | None = attrs.field(default=to_stdout, validator=_check_target)
    stderr: Callable[[str], object] | None = attrs.field(default=to_stderr, validator=_check_target)
    on: Place | None = attrs.field(default=None, validator=_check_place)

    def check_python(self) -> None:
        """Refuse less memory than an interpreter has at its start: the process would have more memory than it is charged.

        Raises:
            ValueError: `memory` is less than `SMALLEST_MEMORY`.
        """
        if self.memory < SMALLEST_MEMORY:
            least = f"{SMALLEST_MEMORY} bytes ({SMALLEST_MEMORY // MIB} MiB)"
            message = f"memory must be at least {least} for a process that runs Python, not {self.memory}"
            raise ValueError(message)

    def replace(self, **changes: Any) -> Environment:
        """Return a copy of this environment with other limits or targets: *changes* have the names that `Environment` takes.

        Raises:
            TypeError, ValueError: as `Environment(...)`.

        Example:
            >>> import capsend
            >>> capsend.Environment(timeout=10).replace(memory=256 << 20).timeout
            10
        """
        unknown = changes.keys() - {field.name for field in attrs.fields(Environment)}
        if unknown:
            names = ", ".join(field.name for field in attrs.fields(Environment))
            message = f"Environment has no {min(unknown)!r}; it has {names}"
            raise TypeError(message)
        return attrs.evolve(self, **changes)

    @overload
    def spawn(self, fn: ForeignFunction[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Actor[object, R]: ...
    @overload
    def spawn(self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]: ...
    @overload
    def spawn(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]: ...
    @overload
    def spawn(
        self, fn: Callable[Concatenate[Mailbox[M], P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Actor[M, R]: ...
    @overload
    def spawn(
        self, fn: Callable[Concatenate[Mailbox[M], P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Actor[M, R]: ...
    def spawn(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]:
        """Run `fn(*args, **kwargs)` in a new process, as `capsend.spawn` does."""
        try:
            return started(self, fn, args, kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise

    @overload
    def execute(self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]: ...
    @overload
    def execute(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]: ...
    @overload
    def execute(
        self, fn: Callable[Concatenate[Mailbox[M], P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Outcome[R]: ...
    @overload
    def execute(
        self, fn: Callable[Concatenate[Mailbox[M], P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Outcome[R]: ...
    def execute(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]:
        r"""Run `fn(*args, **kwargs)` in a new process, wait for its end, and return the run's `Outcome`.

        The outcome keeps the process's output. If the environment has its own targets, `stdout` and `stderr` receive
        the output too. Errors of `spawn` are raised; the exception that ends the process is the outcome's `error`.

        Example:
            >>> import capsend
            >>> outcome = capsend.Environment(timeout=10).execute(capsend.Source("print('hi')\n1 / 0", name="cell.py"))
            >>> outcome.stdout, outcome.error
            ('hi\n', ZeroDivisionError('division by zero'))
        """
        run = _Run(self)
        try:
            made: Process[R] = started(run.environment, fn, args, kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise
        with made:
            made._life.finished.wait()  # noqa: SLF001 - same layer
            return run.outcome(made)

    @overload
    async def execute_async(
        self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Outcome[R]: ...
    @overload
    async def execute_async(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]: ...
    @overload
    async def execute_async(
        self, fn: Callable[Concatenate[Mailbox[M], P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Outcome[R]: ...
    @overload
    async def execute_async(
        self, fn: Callable[Concatenate[Mailbox[M], P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Outcome[R]: ...
    async def execute_async(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]:
        """Run a call as `execute` does, without blocking the event loop; cancelling the waiting task kills the process."""
        run = _Run(self)
        try:
            made: Process[R] = started(run.environment, fn, args, kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise
        async with made:
            await made._ended()  # noqa: SLF001 - same layer
            return run.outcome(made)


class _Run:
    """A run whose output is kept.

    Attributes:
        environment: the environment to run in.
    """

    def __init__(self, environment: Environment) -> None:
        self._out: list[str] = []
        self._err: list[str] = []
        self.environment = environment.replace(
            stdout=_both(self._out, environment.stdout), stderr=_both(self._err, environment.stderr)
        )
        self._began = time.monotonic()

    def outcome(self, made: Process[R]) -> Outcome[R]:
        """Return the outcome of an ended process."""
        from capsend.outcome import Outcome

        seconds = time.monotonic() - self._began
        value, error = None, None
        try:
            value = made._life.outcome()  # noqa: SLF001 - same layer
        except BaseException as raised:  # noqa: BLE001 - the error is part of the outcome
            error = raised
        stats, reason = made.stats(), made.exit_reason
        assert reason is not None
        return Outcome(
            value=value,
            error=error,
            stdout="".join(self._out),
            stderr="".join(self._err),
            exit_reason=reason,
            seconds=seconds,
            cpu_seconds=stats.cpu_seconds,
            memory=stats.memory,
        )


def _both(kept: list[str], target: Callable[[str], object] | None) -> Callable[[str], object]:
    """Return a target of output that keeps the text in *kept* and hands it on to the user's target."""
    if target is None or target is to_stdout or target is to_stderr:
        return kept.append

    def write(text: str) -> None:
        kept.append(text)
        target(text)

    return write


@attrs.frozen
class Prepared:
    """A call that was judged and encoded, to be run once."""

    environment: Environment
    shipment: Shipment

    def start(self) -> Process[Any]:
        """Run the call in a new process."""
        kind = Actor if self.shipment.takes_mailbox else Process
        if self.environment.on is not None:
            return kind(self.environment.on.start(self.shipment, self.environment), self.shipment.name)
        template = self.environment.image.template()
        life = start(self.shipment, self.environment, template, operations=OPERATIONS)
        return kind(life, self.shipment.name)


class ForeignShipment(Protocol):
    """A call of a function in another language, as `__capsend_ship__` packs it."""

    @property
    def name(self) -> str:
        """The function's name in messages."""

    def check(self, environment: Environment) -> None:
        """Refuse an environment in which the process cannot even start."""

    def start(self, environment: Environment) -> Life:
        """Start the process."""


@attrs.frozen
class PreparedForeign:
    """A call of a function of a WebAssembly module, to be run once."""

    environment: Environment
    shipment: ForeignShipment

    def start(self) -> Process[Any]:
        """Run the call in a new process."""
        place = self.environment.on
        life = self.shipment.start(self.environment) if place is None else place.start(self.shipment, self.environment)
        return Actor(life, self.shipment.name)


def prepare(
    environment: Environment, fn: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Prepared | PreparedForeign:
    """Judge and encode a call; raise every error that `spawn` raises before a process starts."""
    if type(fn) is not types.FunctionType:
        of_text = class_attribute(type(fn), "__capsend_prepare__")
        if of_text is not None:
            prepared: Prepared = of_text(fn, environment, args, kwargs)
            return prepared
        pack = class_attribute(type(fn), "__capsend_ship__")
        if pack is not None:
            shipment: ForeignShipment = pack(fn, args, kwargs)
            shipment.check(environment)
            return PreparedForeign(environment, shipment)
    from capsend.shipping.ship import ship

    environment.check_python()
    image = environment.image
    return Prepared(environment, ship(fn, args, kwargs, knows=image.knows, image=image))


def started(
    environment: Environment, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Process[Any]:
    """Judge and encode a call, and run it in a new process.

    The public functions use it; each of them hides capsend's frames itself.
    """
    return prepare(environment, fn, args, kwargs).start()


@functools.cache
def default() -> Environment:
    """Return the environment of the plain `spawn`."""
    return Environment()
