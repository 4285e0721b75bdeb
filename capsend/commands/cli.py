"""The command line: `capsend demo`, `run`, `top`, `explain`, `check`, `audit`, `node`, `certificates`, `image` and others."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from capsend.commands.exits import FAILED, INTERRUPTED, MISUSED, stop
from capsend.commands.images import image
from capsend.commands.invocation import environment_of, imported, print_result, program_of, result_of, spawned
from capsend.commands.settings import CONTEXT
from capsend.exceptions import CapsendError

_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _size(text: str) -> int:
    """Read a number of bytes, such as `512M`."""
    match = re.fullmatch(r"(\d+)\s*([KMG]?)i?B?", text, re.IGNORECASE)
    if match is None:
        message = f"{text!r} is not a size: write bytes, or a number with K, M or G, such as 512M"
        raise click.BadParameter(message)
    return int(match[1]) * _UNITS[match[2].upper()]


@click.group(context_settings=CONTEXT)
@click.version_option(package_name="capsend", message="capsend %(version)s")
def main() -> None:
    """Run Python functions in processes with memory of their own.

    A process is an isolated WebAssembly instance with a CPython in it, not an OS process. It sees no files, no network
    and no environment variables. The captures of a function are checked before it starts.

    \b
    Try it:
      capsend demo
      capsend run math:factorial 20
    """


@main.command(context_settings=CONTEXT, short_help="See it work: a refusal, contained attacks, a real job.")
def demo() -> None:
    """Show a refused capture, hostile functions that are contained, a crash that stays isolated, and all cores at work.

    The first run builds, once, the image from which processes start, in about 15 seconds; the rest takes as long again.
    Exits with 1 when an attack is not contained, or when a process answers differently from the host.

    \b
    Example:
      capsend demo
    """
    from capsend.commands import display
    from capsend.commands.demo import run as show

    try:
        good = show(display.console())
    except KeyboardInterrupt:
        stop("interrupted", INTERRUPTED)
    except CapsendError as error:
        stop(str(error), FAILED)
    if not good:
        stop("not everything went as it should: look for the red line above, and please report it", FAILED)


@main.command(context_settings={**CONTEXT, "allow_interspersed_args": False}, short_help="Run a function in a process.")
@click.option(
    "--memory", type=_size, metavar="SIZE", help="Memory that the process can have, such as 512M.  [default: 1G]"
)
@click.option("--timeout", type=float, help="Seconds after which the process is ended.  [default: 300]")
@click.option(
    "--package", "packages", multiple=True, metavar="NAME", help="A pure-Python package that it needs; can be repeated."
)
@click.argument("target", metavar="MODULE:FUNCTION")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def run(
    target: str, arguments: tuple[str, ...], memory: int | None, timeout: float | None, packages: tuple[str, ...]
) -> None:
    """Run a function in a process and print its result.

    MODULE may be the path of a file that ends in .py. Arguments are read as Python literals, or else as strings;
    NAME=VALUE is a keyword argument. Options of capsend come before MODULE:FUNCTION.

    \b
    Examples:
      capsend run math:factorial 20
      capsend run --timeout 10 shop/prices.py:total "[1, 2, 3]" currency=EUR

    \b
    Exit codes:
      0  it returned; the result is printed unless it is None
      1  it raised an exception, or ended by a fault
      2  the command is wrong: no such function, or not with these arguments
      3  it was refused before it ran: a capture, an argument or the image
      4  it ran into a limit
    A function that calls sys.exit() decides the exit code itself.
    """
    from capsend.commands.targets import parse_arguments

    function = imported(target)
    positional, keywords = parse_arguments(arguments)
    environment = environment_of(memory, timeout, packages)
    process = spawned(lambda: environment.spawn(function, *positional, **keywords), arguments=arguments)
    result = result_of(process)
    if result is not None:
        print_result(result)


@main.command(
    context_settings={**CONTEXT, "allow_interspersed_args": False},
    short_help="Run a program and show its processes live.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.01),
    default=0.5,
    metavar="SECONDS",
    help="Seconds between two looks.  [default: 0.5]",
)
@click.option("--cluster", is_flag=True, help="Show the nodes of the program's clusters, too.")
@click.argument("target", metavar="MODULE:FUNCTION")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def top(target: str, arguments: tuple[str, ...], interval: float, cluster: bool) -> None:
    """Run a program that spawns processes, and show the tree of its running processes.

    FUNCTION is called on the host, like the main function of any program, and awaited if it is an async def; with the
    decorator @process it runs in a process. Arguments are read as by `capsend run`. Processes that are still running
    when it returns are killed.

    On a terminal the tree is a table that changes; elsewhere each look is written as lines that begin with "top:". The
    last line reports how many processes ended, and why.

    \b
    Examples:
      capsend top shop.server:main
      capsend top --interval 0.1 shop/server.py:main 8080

    Exits with 0 when the function returned, with 1 when it raised an exception, with 2 when the command is wrong, and with 130
    on Ctrl-C.
    """
    from capsend.commands import display
    from capsend.commands.top import run as watched

    program = program_of(imported(target), arguments)
    try:
        result = watched(program, to=display.console(), interval=interval, cluster=cluster)
    except KeyboardInterrupt:
        stop("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the function may raise anything
        from capsend.commands.targets import own_traceback

        click.echo(own_traceback(error).rstrip(), err=True)
        raise SystemExit(FAILED) from None
    if result is not None:
        print_result(result)


@main.command(context_settings=CONTEXT, short_help="Show which captures or fields can be sent, which cannot, and why.")
@click.option("--static", is_flag=True, help="Show the verdict of the mypy plugin, without importing the module.")
@click.argument("target", metavar="MODULE:NAME")
def explain(target: str, *, static: bool) -> None:
    """Show the captures of a function, or the fields of a class, and why each can be sent or not.

    The module is imported on the host; nothing runs in a process. Exits with 1 when a capture or field cannot be sent.

    \b
    Examples:
      capsend explain shop.prices:total
      capsend explain shop/prices.py:Basket
      capsend explain --static shop.prices:Basket
    """
    if static:
        if ".py:" in target:
            stop("with --static, name the module and not the file: MODULE:NAME", MISUSED)
        _mypy("explain", target.replace(":", "."))
    from capsend.commands import display
    from capsend.commands.explain import explain as explanation

    try:
        node = explanation(imported(target))
    except TypeError as error:
        stop(str(error), MISUSED)
    display.show_tree(node, display.console())
    raise SystemExit(0 if node.good else FAILED)


def _ports(text: str) -> list[int]:
    """Read `7001-7010`."""
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if match is None or not 0 < int(match[1]) <= int(match[2]) < 1 << 16:
        message = f"{text!r} is not a range of ports: write FIRST-LAST, such as 7879-7882"
        raise click.BadParameter(message)
    return list(range(int(match[1]), int(match[2]) + 1))


def _label(text: str) -> tuple[str, str]:
    """Read `NAME=VALUE`."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        message = f"{text!r} is not a label: write NAME=VALUE"
        raise click.BadParameter(message)
    return name, value


@main.command(context_settings=CONTEXT, short_help="Run processes for programs on other machines.")
@click.option(
    "--listen", default="127.0.0.1:7878", metavar="HOST:PORT", help="Where to listen.  [default: 127.0.0.1:7878]"
)
@click.option("--authority", type=click.Path(dir_okay=False), help="The authority's certificate, as PEM.")
@click.option("--certificate", type=click.Path(dir_okay=False), help="This machine's certificate, as PEM.")
@click.option("--key", type=click.Path(dir_okay=False), help="Its key, as PEM.")
@click.option("--token", type=click.Path(dir_okay=False), help="In place of certificates: a file with 64 hex digits.")
@click.option("--homes", type=click.IntRange(min=1), default=4, help="Programs to serve at one time.  [default: 4]")
@click.option("--ports", type=_ports, default=None, metavar="A-B", help="Ports for nodes.  [default: any]")
@click.option("--name", default="", help="The name of the machine.  [default: its host name]")
@click.option("--label", "labels", type=_label, multiple=True, metavar="NAME=VALUE", help="For placement; repeatable.")
def node(  # noqa: PLR0913 - one parameter for each option
    *,
    listen: str,
    authority: str | None,
    certificate: str | None,
    key: str | None,
    token: str | None,
    homes: int,
    ports: list[int] | None,
    name: str,
    labels: tuple[tuple[str, str], ...],
) -> None:
    """Start a node on this machine for each program that connects with `Cluster.connect`, until Ctrl-C or SIGTERM.

    Both sides show certificates of one authority (`capsend certificates` makes them). A token may replace them on the
    loopback interface only, as it gives no encryption. A line on standard output reports where the daemon listens.

    \b
    Examples:
      capsend node --listen 10.0.0.5:7878 --authority authority.pem --certificate 10.0.0.5.pem --key 10.0.0.5.key
      capsend node --token secret.txt
    """
    from capsend.commands.node import credentials_of, serve

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= 1 << 16:
        stop(f"{listen!r} is not an address to listen on: write HOST:PORT, such as 10.0.0.5:7878", MISUSED)
    try:
        credentials = credentials_of(authority, certificate, key, token)
        serve(
            credentials,
            host=host.removeprefix("[").removesuffix("]"),
            port=int(port),
            homes=homes,
            ports=ports or [],
            name=name,
            labels=dict(labels),
        )
    except ValueError as error:
        stop(str(error), MISUSED)
    except (CapsendError, OSError) as error:
        stop(str(error), FAILED)


@main.command(context_settings=CONTEXT, short_help="Make certificates for `capsend node`.")
@click.option("--days", type=click.IntRange(min=1), default=365, help="Days for which they are valid.  [default: 365]")
@click.argument("folder", type=click.Path(file_okay=False))
@click.argument("hosts", metavar="HOST...", nargs=-1, required=True)
def certificates(folder: str, hosts: tuple[str, ...], days: int) -> None:
    """Make an authority, a certificate for each HOST, and one for the programs that connect to the hosts.

    FOLDER gets authority.pem, home.pem, home.key, and HOST.pem and HOST.key for each HOST. HOST is the name or address
    that `Cluster.connect` is given. A host's certificate cannot be used to connect to another host. The key of the
    authority is not kept: for another host, make a new set.

    \b
    Example:
      capsend certificates keys 10.0.0.5 10.0.0.6
    """
    from capsend.commands.node import make_certificates

    try:
        make_certificates(Path(folder), hosts, days=days)
    except (CapsendError, OSError, ValueError) as error:
        stop(str(error), FAILED)


main.add_command(image)


@main.command(context_settings=CONTEXT, short_help="Check that capsend works on this machine.")
@click.option(
    "--image",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Examine an image that capsend image build --output wrote, and test with it.",
)
def doctor(file: Path | None) -> None:
    """Check that capsend works on this machine: versions, the cache, the image, the limits, and a test in a process.

    Exits with 1 when it finds a problem.

    \b
    Examples:
      capsend doctor
      capsend doctor --image capsend.image
    """
    from capsend.commands import display
    from capsend.commands.doctor import examine

    to = display.console()
    problems = 0
    for finding in examine(file):
        problems += bool(finding.problem)
        display.show_finding(finding, to)
    if problems:
        stop(f"{problems} problem{'' if problems == 1 else 's'}", FAILED)


@main.command(
    context_settings={**CONTEXT, "ignore_unknown_options": True}, short_help="Type-check files: captures too."
)
@click.option(
    "--text", "text", metavar="FILE", default=None, help="Check source text that a Source will run, instead of modules."
)
@click.option(
    "--given",
    "given",
    multiple=True,
    metavar="'NAME: TYPE'",
    help="A global that the text will be given; can be repeated.",
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.UNPROCESSED)
def check(paths: tuple[str, ...], text: str | None, given: tuple[str, ...]) -> None:
    """Type-check files with mypy and capsend's plugin: bad captures are errors at the captured name.

    Without a PATH it checks the files of mypy's configuration, or else the current folder. Prints capsend's errors
    only: as text with the source line, with --json as one object a line, with --sarif as one SARIF document. Options of
    mypy are passed to mypy. Exits with 1 when there are errors, and with 2 when mypy could not check. Needs the extra
    `mypy`: pip install 'capsend[mypy]'.

    \b
    Examples:
      capsend check shop/
      capsend check --sarif shop/ > capsend.sarif
      capsend check --text plugin.py --given 'prices: list[int]'
    """
    if text is not None or given:
        _check_text(text, given, paths)
    else:
        _mypy("check", *paths)


def _check_text(file: str | None, given: tuple[str, ...], paths: tuple[str, ...]) -> None:
    from capsend.exceptions import CapsendError
    from capsend.source_text.source import Source
    from capsend.source_text.type_check import problems

    if file is None or paths:
        stop("give one file with --text, and no path beside it", MISUSED)
    try:
        source = Source.from_file(file)
        found = problems(source.text, source.name, {}, declared="\n".join(given))
    except (OSError, ValueError, CapsendError) as error:
        stop(str(error), MISUSED)
    for problem in found:
        click.echo(str(problem))
    raise SystemExit(FAILED if found else 0)


@main.command(context_settings=CONTEXT, short_help="List every unsafe promise, with its place and reason.")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
def audit(paths: tuple[str, ...]) -> None:
    """List every class that is promised to be sendable with @unsafe_process_send, with its place and its reason.

    Without a PATH it checks the files of mypy's configuration, or else the current folder.

    Needs the extra `mypy`: pip install 'capsend[mypy]'.

    \b
    Example:
      capsend audit shop/
    """
    _mypy("audit", *paths)


@main.command(context_settings=CONTEXT, short_help="Print the folder with capsend.h and process.wit.")
def include() -> None:
    """Print the folder with the C header and the WIT package, for processes in other languages.

    \b
    zig cc --target=wasm32-freestanding -nostdlib -Wl,--no-entry -I"$(capsend include)" -o guest.wasm guest.c
    """
    click.echo(Path(__file__).parent.parent / "wasm" / "abi")


def _mypy(*arguments: str) -> NoReturn:
    """Run the plugin as a separate program: capsend never imports mypy."""
    if importlib.util.find_spec("mypy") is None:
        stop("mypy is not installed. Install it: pip install 'capsend[mypy]'", MISUSED)
    command = [sys.executable, "-m", "capsend_mypy", *arguments]
    try:
        code = subprocess.run(command, check=False).returncode  # noqa: S603 - our interpreter and module
    except KeyboardInterrupt:
        code = INTERRUPTED
    raise SystemExit(code)
