"""The differences of a guest for `capsend explain`: the names concerned, and one sentence for each. Details are in `docs/differences.md`."""

from __future__ import annotations

import functools
import sys
import types
from typing import TYPE_CHECKING, Any, Final

import attrs

from capsend.shipping.captures.source_cache import function_source
from capsend.source.locate import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.source.references import Import, Read


@attrs.frozen
class Difference:
    """One row of the page.

    Attributes:
        row: its first column.
        names: dotted names, each for itself and all names below it.
        sentence: the difference and its cure, for a line of `capsend explain`.
        until: the first version of the host's Python that behaves like the guest's, if any.
    """

    row: str
    names: tuple[str, ...]
    sentence: str
    until: tuple[int, int] | None = None

    @property
    def applies(self) -> bool:
        """True if the difference exists with the running Python."""
        return self.until is None or sys.version_info[:2] < self.until


DIFFERENCES: Final = (
    Difference(
        "decimal context",
        ("decimal.Decimal", "decimal.getcontext", "decimal.localcontext"),
        "the decimal context is the default one; set it in the function, or pass its precision",
    ),
    Difference(
        "logging",
        ("logging.getLogger", "logging.getLevelName", "logging.Logger"),
        "only the level of the root logger is the program's; records come out in the program, which filters them",
    ),
    Difference(
        "random numbers",
        (
            "random.random",
            "random.randint",
            "random.choice",
            "random.shuffle",
            "random.sample",
            "random.uniform",
            "random.seed",
        ),
        "random numbers are seeded anew in each process; pass a seed, and use random.Random(seed)",
    ),
    Difference("locale", ("locale.setlocale", "locale.getlocale", "locale.localeconv"), "the locale is C with UTF-8"),
    Difference(
        "calendar",
        (
            "calendar.weekheader",
            "calendar.month",
            "calendar.calendar",
            "calendar.firstweekday",
            "calendar.monthcalendar",
        ),
        "weeks begin on Monday; make a calendar.Calendar(firstweekday) of your own",
    ),
    Difference(
        "kinds of files",
        ("mimetypes.guess_type", "mimetypes.guess_extension"),
        "only the kinds of files that Python itself knows are known; call mimetypes.add_type in the function",
    ),
    Difference(
        "interpreter",
        ("sys.argv", "sys.path", "sys.getrecursionlimit", "sys.modules", "sys.executable"),
        "sys is that of a fresh interpreter; pass the values that you need as arguments",
    ),
    Difference(
        "environment variables",
        ("os.environ", "os.getenv"),
        "it has no environment variables but those of Environment(env={...})",
    ),
    Difference(
        "time zone",
        (
            *("time.localtime", "time.mktime", "time.ctime", "time.strftime", "time.tzname", "time.timezone"),
            *(
                "datetime.datetime.now",
                "datetime.datetime.today",
                "datetime.datetime.fromtimestamp",
                "datetime.date.today",
            ),
            "datetime.date.fromtimestamp",
        ),
        'local time is UTC, or that of Environment(env={"TZ": "Europe/Paris"})',
    ),
    Difference(
        "files",
        (
            "builtins.open",
            "io.open",
            "os.getcwd",
            "os.listdir",
            "os.path.exists",
            "os.walk",
            "pathlib.Path",
            "tempfile",
            "glob.glob",
        ),
        "it has no files but those of a Dir that it captures or is passed",
    ),
    Difference("network", ("urllib.request", "http.client", "socket"), "it has no network; capture a host function"),
    Difference(
        "threads",
        ("threading.Thread", "threading.Timer", "concurrent.futures.ThreadPoolExecutor", "asyncio.to_thread"),
        "it has no threads; spawn processes, or use asyncio",
    ),
    Difference(
        "programs",
        ("subprocess", "os.system", "os.fork", "multiprocessing"),
        "it starts no programs; capture a host function",
    ),
    Difference(
        "terminal",
        ("builtins.input", "sys.stdin", "shutil.get_terminal_size"),
        "it has no standard input and no terminal; pass text as an argument",
    ),
    Difference(
        "names of the machine",
        ("platform.node", "os.getpid", "os.getlogin", "getpass.getuser", "socket.gethostname"),
        "it does not learn the machine's names; pass them as arguments",
    ),
    Difference(
        "tracebacks",
        ("traceback.format_exc", "traceback.format_exception", "traceback.format_tb", "traceback.print_exc"),
        "tracebacks have files and lines, without the text of the lines; the exception that result() raises has it",
    ),
    Difference(
        "platform",
        ("sys.platform", "platform.system", "platform.machine", "platform.platform", "os.uname"),
        "the platform is wasi on wasm32",
    ),
    Difference(
        "error numbers", ("errno",), "error numbers are those of WASI in a process; compare them by errno's names"
    ),
    Difference(
        "32 bits",
        ("sys.maxsize", "struct.calcsize", "struct.pack", "struct.unpack", "array.array"),
        "sizes have 32 bits: sys.maxsize is 2**31-1, and no length is above it; in struct and array write < or >, or q for l",
    ),
    Difference(
        "hashes",
        ("builtins.hash",),
        "hashes have 32 bits and another seed; to share work out by hash(x) % n use zlib.crc32 or hashlib",
    ),
    Difference(
        "key derivation",
        ("hashlib.pbkdf2_hmac", "hashlib.scrypt", "_hashlib.pbkdf2_hmac", "_hashlib.scrypt"),
        "it has no OpenSSL, and so no pbkdf2_hmac and scrypt; capture a host function",
    ),
    Difference(
        "clocks",
        ("time.monotonic", "time.perf_counter", "time.process_time"),
        "clocks begin with the process; pass time.time() to compare times",
    ),
    Difference(
        "sum of floats",
        ("builtins.sum",),
        "sums of floats are exact to one rounding, as from Python 3.12 on; use math.fsum for the same on both sides",
        until=(3, 12),
    ),
    Difference(
        "private addresses",
        ("ipaddress",),
        "is_private and is_global know newer tables of addresses",
        until=(3, 13),
    ),
    Difference(
        "Unicode",
        ("unicodedata",),
        "the tables of Unicode are those of Python 3.14",
        until=(3, 14),
    ),
    Difference(
        "texts",
        ("typing.Union", "typing.Optional"),
        "repr of unions and of some enums, and messages of errors, are those of Python 3.14; compare types and attributes",
        until=(3, 14),
    ),
    Difference(
        "version of Python",
        ("sys.version_info", "sys.version", "platform.python_version"),
        "the Python in a process is 3.14",
        until=(3, 14),
    ),
)

OF_PACKAGES: Final = (
    Difference(
        "default integer",
        tuple(
            f"numpy.{name}"
            for name in ("arange", "array", "asarray", "int_", "intp", "sum", "prod", "cumsum", "cumprod")
        ),
        "the default integer of numpy is int32 in a process; give dtype=numpy.int64",
    ),
    Difference(
        "floating point errors",
        ("numpy.errstate", "numpy.seterr", "numpy.seterrcall"),
        "floating point errors of numpy are neither raised nor warned of in a process; test with numpy.isfinite",
    ),
    Difference(
        "linear algebra",
        ("numpy.linalg", "numpy.matmul", "numpy.dot", "numpy.einsum", "numpy.tensordot", "numpy.vdot", "numpy.inner"),
        "a process has one thread and registers of 128 bits: products of matrices take 4 to 8 times as long; use several processes, or the host",
    ),
    Difference(
        "array files",
        ("numpy.load", "numpy.fromfile", "numpy.memmap"),
        "numpy cannot read from an open file in a process; give numpy.load the bytes, io.BytesIO(path.read_bytes())",
    ),
)
"""The rows of `docs/native.md`, about packages with native code."""


def touched_by(function: types.FunctionType) -> Iterator[Difference]:
    """Yield each difference that concerns a name read by a function's own code."""
    try:
        _, references = function_source(function)
    except SourceError:
        return
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    names: set[str] = set()
    for read in (*references.globals, *references.free):
        names.update(_names_of(read, function.__globals__, cells))
    for statement in references.imports:
        names.update(_imported(statement))
    for difference in (*DIFFERENCES, *OF_PACKAGES):
        if difference.applies and any(_is_below(name, topic) for name in names for topic in difference.names):
            yield difference


def _is_below(name: str, topic: str) -> bool:
    return name == topic or name.startswith(f"{topic}.")


def _names_of(read: Read, namespace: dict[str, Any], cells: dict[str, types.CellType]) -> Iterator[str]:
    """Yield the dotted names of an object of the standard library or numpy that is read, and of attributes read from it."""
    try:
        value = cells[read.name].cell_contents if read.name in cells else namespace[read.name]
    except ValueError:
        return  # a cell without a value
    except KeyError:
        yield f"builtins.{read.name}"
        return
    name = _name_of(value)
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == "numpy":
        yield from _below(name, read.chain)


def _below(name: str, chain: tuple[str, ...]) -> Iterator[str]:
    """Yield a name and the names below it, as written and by the objects' own names: `os.path` is `posixpath`."""
    yield name
    for part in chain:
        name = f"{name}.{part}"
        yield name


def _name_of(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, functools.partial):
        value = value.func
    owner = getattr(value, "__self__", None)
    module = owner.__name__ if isinstance(owner, types.ModuleType) else getattr(value, "__module__", None)
    if not isinstance(module, str):
        return type(owner).__module__ + "." + str(getattr(value, "__name__", "")) if owner is not None else ""
    qualname = str(getattr(value, "__qualname__", ""))
    # `from random import randint` binds a method of a hidden instance.
    return (
        f"{module}.{qualname}"
        if owner is None or isinstance(owner, types.ModuleType | type)
        else f"{module}.{value.__name__}"
    )


def _imported(statement: Import) -> Iterator[str]:
    if statement.level:
        return
    for name in statement.names or ("",):
        yield f"{statement.module}.{name}".rstrip(".")


def sentences(functions: list[types.FunctionType]) -> list[str]:
    """Return the sentences of all differences that concern some functions, each once, in the order of the page."""
    found = {difference for function in functions for difference in touched_by(function)}
    return [difference.sentence for difference in (*DIFFERENCES, *OF_PACKAGES) if difference in found]
