"""The calls of `capsend run` and `capsend top`, in a process or on the host, and the exit of the commands."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from capsend.commands.exits import FAILED, INTERRUPTED, LIMITED, MISUSED, REFUSED, stop
from capsend.exceptions import (
    CaptureError,
    GuestTraceback,
    ImageError,
    LimitExceeded,
    ProcessFailed,
    ProcessKilled,
    SerializationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.environment import Environment
    from capsend.process import Process


_OPTIONS: Final = frozenset(("--memory", "--timeout", "--package"))


def imported(target: str) -> Any:
    """Return the object that `MODULE:NAME` names; exit if it does not exist."""
    from capsend.commands.targets import TargetError, find

    try:
        return find(target)
    except TargetError as error:
        stop(str(error), MISUSED, details=error.details)


def environment_of(memory: int | None, timeout: float | None, packages: tuple[str, ...]) -> Environment:
    """Return the environment for the command's options; exit if they are invalid."""
    from capsend.environment import Environment
    from capsend.image.image import Image

    limits: dict[str, Any] = {"memory": memory, "timeout": timeout}
    try:
        environment = Environment(
            image=Image(packages=packages), **{name: value for name, value in limits.items() if value is not None}
        )
        environment.check_python()
    except (ValueError, TypeError) as error:
        # The command line has no None: that is for `Environment`.
        stop(re.sub("^(memory|timeout) ", r"--\1 ", str(error).removesuffix("; None is no limit")), MISUSED)
    return environment


def spawned(start: Callable[[], Process[Any]], *, arguments: tuple[str, ...] = ()) -> Process[Any]:
    """Start a process; exit if it is refused.

    Args:
        start: starts the process.
        arguments: the texts after the target; one of them may be a misplaced option of capsend.
    """
    try:
        return start()
    except (CaptureError, SerializationError, ImageError) as error:
        stop(_as_options(str(error)), REFUSED)
    except TypeError as error:
        option = next((text for text in arguments if text.partition("=")[0] in _OPTIONS), None)
        hint = f" Options of capsend, such as {option}, come before MODULE:FUNCTION." if option is not None else ""
        stop(f"{error}{hint}", MISUSED)
    except KeyboardInterrupt:
        stop("interrupted", INTERRUPTED)


def result_of(process: Process[Any]) -> Any:
    """Return the result of a process; for any other end, exit with its code."""
    try:
        return process.result()
    except (LimitExceeded, ProcessKilled) as error:
        stop(_as_options(str(error)), LIMITED, details=_guest_traceback(error))
    except BaseException as error:  # noqa: BLE001 - the function may raise anything
        if isinstance(error, ProcessFailed) and error.type_name == "builtins.SystemExit":
            _leave(error.guest_message)
        details = _guest_traceback(error)
        if isinstance(error, KeyboardInterrupt) and not details:
            process.kill()
            stop("interrupted", INTERRUPTED)
        if details:
            click.echo(details.rstrip(), err=True)
            raise SystemExit(FAILED) from None
        stop(str(error), FAILED)


def _as_options(text: str) -> str:
    """Return a message that names the command's options in place of the arguments of `Environment`."""
    text = re.sub(r'Environment\(image=Image\(packages=\["([\w.-]+)"\]\)\)', r"--package \1", text)
    return re.sub(r"Environment\((memory|timeout)=\.\.\.\)", r"--\1", text)


def _leave(status: str) -> NoReturn:
    """Exit as the function did: with a number, or with a message and 1."""
    if not status or re.fullmatch(r"-?\d{1,3}", status):
        raise SystemExit(int(status or "0"))
    stop(status, FAILED)


def _guest_traceback(error: BaseException) -> str:
    cause = error.__cause__
    return cause.text if isinstance(cause, GuestTraceback) else ""


def print_result(result: object) -> None:
    """Print a value: on a terminal in colours and several lines, elsewhere as its repr."""
    if sys.stdout.isatty():
        from rich.pretty import pprint

        pprint(result, expand_all=False)
    else:
        click.echo(repr(result))


def program_of(function: Any, arguments: tuple[str, ...]) -> Callable[[], Any]:
    """Return the call of a program's main function; exit if the function cannot take the arguments."""
    import asyncio
    import inspect

    from capsend.commands.targets import parse_arguments
    from capsend.spawning import Spawnable

    positional, keywords = parse_arguments(arguments)
    if isinstance(function, Spawnable):
        return lambda: result_of(spawned(lambda: function.spawn(*positional, **keywords)))
    if not callable(function):
        stop(f"top needs a function to call, not {type(function).__name__}", MISUSED)
    try:
        inspect.signature(function).bind(*positional, **keywords)
    except TypeError as error:
        stop(str(error), MISUSED)
    except ValueError:
        pass  # a built-in function without a signature
    if inspect.iscoroutinefunction(function):
        return lambda: asyncio.run(function(*positional, **keywords))
    return lambda: function(*positional, **keywords)
