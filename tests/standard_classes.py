"""One instance of every class of the standard library that can be made without arguments, and of some that need a few.

Run as a program, so that effects of making them stay in a separate interpreter, it sends each to a process, by value
and as a capture, and prints JSON: {expression: {position: answer}}; an answer is `SAME`, `DIFFERENT`, or the error.
"""

from __future__ import annotations

import contextlib
import enum
import importlib
import io
import json
import pkgutil
import sys
import types
import warnings
from typing import TYPE_CHECKING, Any, Final

from capsend import CaptureError, SerializationError, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SAME: Final = "same"
DIFFERENT: Final = "different"

# They draw windows, leave the program, start processes or threads, read standard input, are gone in later Pythons, or (encodings)
# are a hundred times the same.
_LEFT_OUT: Final = frozenset(
    [
        "antigravity",
        "asynchat",
        "asyncore",
        "cgi",
        "cgitb",
        "crypt",
        "curses",
        "distutils",
        "encodings",
        "ensurepip",
        "idlelib",
        "imp",
        "lib2to3",
        "nntplib",
        "nt",
        "pip",
        "pipes",
        "pydoc_data",
        "smtpd",
        "test",
        "this",
        "tkinter",
        "turtle",
        "turtledemo",
        "venv",
        "xdrlib",
    ]
)
_HARMFUL: Final = frozenset(
    {
        *("multiprocessing.pool.Pool", "multiprocessing.pool.ThreadPool", "multiprocessing.managers.SyncManager"),
        *("multiprocessing.managers.BaseManager", "multiprocessing.managers.SharedMemoryManager"),
        *("unittest.main.TestProgram", "multiprocessing.shared_memory.SharedMemory", "pydoc.Helper"),
        *(
            "abc.ABC",
            "builtins.object",
            "typing.Generic",
            "typing.Protocol",
            "multiprocessing.shared_memory.ShareableList",
        ),
        *("concurrent.futures.process.ProcessPoolExecutor"),
    }
)
_BY_NAME: Final = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
WITH_ARGUMENTS: Final = (
    "argparse.Namespace(a=1)",
    "ast.Constant(1)",
    "calendar.Calendar(6)",
    "codecs.CodecInfo(abs, abs)",
    "collections.ChainMap({'a': 1})",
    "collections.UserDict(a=1)",
    "collections.UserList([1, 2])",
    "collections.UserString('ab')",
    "configparser.ConfigParser()",
    "contextlib.nullcontext(1)",
    "contextlib.suppress(ValueError)",
    "decimal.Context(prec=3)",
    "decimal.DecimalTuple(0, (1, 2), 3)",
    "difflib.Match(1, 2, 3)",
    "difflib.SequenceMatcher(None, 'ab', 'b')",
    "doctest.Example('1', '1')",
    "email.charset.Charset('utf-8')",
    "email.header.Header('a')",
    "email.message_from_string('a: b')",
    "email.headerregistry.Address('A', 'a', 'b.c')",
    "email.mime.text.MIMEText('a')",
    "email.policy.EmailPolicy(max_line_length=70)",
    "fractions.Fraction(1, 3)",
    "functools.lru_cache(len).cache_info()",
    "functools.partial(int, '3')",
    "graphlib.TopologicalSorter({1: [2]})",
    "http.cookies.SimpleCookie('a=b')",
    "inspect.Parameter('a', inspect.Parameter.POSITIONAL_ONLY)",
    "inspect.Signature([])",
    "ipaddress.IPv4Network('10.0.0.0/8')",
    "json.JSONDecoder(parse_float=float)",
    "json.JSONEncoder(indent=2)",
    "logging.Formatter('%(message)s')",
    "optparse.Values({'a': 1})",
    "platform.uname()",
    "plistlib.UID(3)",
    "reprlib.Repr()",
    "shutil.disk_usage('/')",
    "statistics.LinearRegression(1.0, 2.0)",
    "statistics.NormalDist(1, 2)",
    "string.Template('$a')",
    "subprocess.CompletedProcess(['a'], 0, 'b')",
    "tarfile.TarInfo('a')",
    "textwrap.TextWrapper(width=30)",
    "timeit.Timer('1')",
    "tokenize.TokenInfo(1, 'a', (1, 0), (1, 1), 'a')",
    "types.SimpleNamespace(a=1)",
    "urllib.parse.urldefrag('http://a/b#c')",
    "urllib.parse.urlparse('http://a/b')",
    "urllib.parse.urlparse(b'http://a/b')",
    "urllib.parse.urlsplit('http://a/b')",
    "urllib.request.Request('http://a/b')",
    "uuid.UUID(int=3)",
    "wsgiref.headers.Headers([('a', 'b')])",
    "xml.dom.minidom.parseString('<a b=\"c\">d</a>')",
    "xml.etree.ElementTree.Element('a', b='c')",
    "xml.etree.ElementTree.QName('a')",
    "xmlrpc.client.Binary(b'a')",
    "xmlrpc.client.DateTime('20260101T00:00:00')",
    "zipfile.ZipInfo('a')",
    "zoneinfo.ZoneInfo('UTC')",
)


def samples() -> dict[str, object]:
    """Return {expression: instance}."""
    found: dict[str, object] = {}
    for name, cls in _classes():
        if name not in _HARMFUL and not issubclass(cls, BaseException | enum.Enum | type):
            # Whatever a class raises that wants arguments: it is none of those.
            with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):
                value = cls()
                if type(value) is cls:
                    found[f"{name}()"] = value
    for expression in WITH_ARGUMENTS:
        module = importlib.import_module(module_of(expression))
        top = module.__name__.partition(".")[0]
        found[expression] = eval(expression, {top: sys.modules[top]})
    return found


def module_of(expression: str) -> str:
    """Return the module that an expression names."""
    return expression.partition("(")[0].rpartition(".")[0]


def same(first: Any, second: Any, depth: int = 20) -> bool:
    """Tell whether two values are equal: by their own `==`, or in class and fields where they have none of their own."""
    cls: Any = type(first)
    if cls is not type(second) or depth == 0:
        return cls is type(second)
    if isinstance(first, _BY_NAME):
        return first is second
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(same(a, b, depth - 1) for a, b in zip(first, second, strict=True))
    if isinstance(first, dict):
        keys = list(map(repr, first)) == list(map(repr, second))
        return keys and same(list(first.values()), list(second.values()), depth - 1)
    if cls.__eq__ is not object.__eq__ and first == second:
        return True
    fields, others = _fields(first), _fields(second)
    return (bool(fields) or cls.__eq__ is object.__eq__) and same(fields, others, depth - 1)


def _fields(value: Any) -> dict[str, object]:
    entries = [item for base in type(value).__mro__ for item in vars(base).items()]
    slots = [name for name, entry in entries if isinstance(entry, types.MemberDescriptorType) and hasattr(value, name)]
    return {**getattr(value, "__dict__", {}), **{name: getattr(value, name) for name in slots}}


def _modules(name: str) -> Iterator[types.ModuleType]:
    try:
        module = importlib.import_module(name)
    except BaseException:
        return
    yield module
    for found in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{name}."):
        last = found.name.rpartition(".")[2]
        if not last.startswith("_") and last not in {"test", "tests"}:
            yield from _modules(found.name)


def _classes() -> Iterator[tuple[str, type]]:
    """Yield every public class by the name that its own module gives it."""
    for top in sorted(sys.stdlib_module_names - _LEFT_OUT):
        for module in _modules(top) if not top.startswith("_") else ():
            for name, cls in list(vars(module).items()):
                own = isinstance(cls, type) and (cls.__module__, cls.__qualname__) == (module.__name__, name)
                if own and not name.startswith("_"):
                    yield f"{module.__name__}.{name}", cls


def _give_back(value: object) -> object:
    return value


def _capturing(value: object) -> Callable[[], object]:
    def give_back() -> object:
        return value

    return give_back


def _answer(value: object, start: Callable[[], Any]) -> str:
    try:
        back = start().result(timeout=60)
    except (CaptureError, SerializationError) as error:
        return str(error)
    except ImportError as error:
        # The host's Python is older than the image's, and the class is gone.
        return str(error) if "the image's Python" in str(error) else repr(error)
    return SAME if same(value, back) else DIFFERENT


def main() -> None:
    """Send every sample, and print the answers."""
    warnings.simplefilter("ignore")
    answers = {
        expression: {
            "value": _answer(value, lambda v=value: spawn(_give_back, v)),  # type: ignore[misc]  # mypy wants no default here
            "capture": _answer(value, lambda v=value: spawn(_capturing(v))),  # type: ignore[misc]  # as above
        }
        for expression, value in samples().items()
    }
    sys.__stdout__.write(json.dumps(answers))  # type: ignore[union-attr]  # a program has one


if __name__ == "__main__":
    main()
