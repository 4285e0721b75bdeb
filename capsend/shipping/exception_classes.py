"""The exception classes that may come back from a process, and the rebuilding of an instance without its `__init__`."""

from __future__ import annotations

import builtins
import errno
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from capsend import exceptions
from capsend.codec.instances import plan_of, set_fields
from capsend.codec.wire import may_build
from capsend.shipping.description import NATIVE, SYMBOL

if TYPE_CHECKING:
    from collections.abc import Callable

# Imported at the spawn of a program that names them; see `capsend.runtime.preloading`.
MODULES: Final = frozenset(
    {
        "argparse", "asyncio.exceptions", "binascii", "calendar", "concurrent.futures._base", "configparser", "copy", "csv", "_csv",
        "dataclasses", "decimal", "email.errors", "gettext", "getopt", "graphlib", "http.client", "http.cookies", "ipaddress",
        "json.decoder", "locale", "netrc", "pickle", "_pickle", "plistlib", "queue", "_queue", "quopri", "re", "re._constants", "sched",
        "shutil", "socket", "sqlite3", "statistics", "struct", "subprocess", "tarfile", "tokenize", "tomllib", "traceback",
        "unittest.case", "urllib.error", "uuid", "wave", "xml.dom", "xml.etree.ElementTree", "xml.parsers.expat", "xml.sax._exceptions",
        "zipfile", "zlib", "zoneinfo._common",
    }
)  # fmt: skip
# The same class under its names in different versions of Python.
_RENAMED: Final = {
    "re.PatternError": ("re", "error"),
    "re.error": ("re", "error"),
    "re._constants.PatternError": ("re", "error"),
    "zipfile._path.BadZipFile": ("zipfile", "BadZipFile"),
    "queue.Empty": ("queue", "Empty"),
    "_queue.Empty": ("queue", "Empty"),
    "queue.Full": ("queue", "Full"),
}
_OWN: Final = (exceptions.CapsendError, exceptions.GuestTraceback)
_METHODS: Final = (
    types.FunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.BuiltinFunctionType,
    classmethod,
    staticmethod,
)
_READ_BY_TRACEBACK: Final = frozenset(("name_from", "obj", "_metadata"))
"""The attributes that `traceback` reads for its suggestions: since 3.12 it imports the module of an `ImportError` for them."""

_NUMBERS: Final = ("lineno", "offset", "end_lineno", "end_offset")


def exception_class(name: str, reference: Any, resolve: Callable[[Any], Any]) -> type[BaseException]:
    """Return an exception class that was sent, or one of the built-in ones, the standard library or capsend.

    Args:
        name: module and qualified name, as the process gives them.
        reference: the process's name for the class, if it has one.
        resolve: returns the object of a reference.

    Raises:
        LookupError: the class is none of these.
    """
    cls: Any = _standard_class(name)
    if cls is None and reference is not None:
        try:
            cls = resolve(reference)
        except Exception as error:
            raise LookupError(f"the class {name} was not sent with the program") from error
    if not isinstance(cls, type) or not issubclass(cls, BaseException) or not may_build(cls):
        raise LookupError(f"the class {name} was not sent with the program")
    return cls


def _standard_class(name: str) -> Any:
    module, _, qualname = name.rpartition(".")
    if name in _RENAMED:
        module, qualname = _RENAMED[name]
    if module == "builtins":
        return vars(builtins).get(qualname)
    if module in {"capsend", "capsend.exceptions"}:
        own = vars(exceptions).get(qualname)
        return own if isinstance(own, type) and issubclass(own, _OWN) else None
    if module.partition(".")[0] not in sys.stdlib_module_names or module == "__main__":
        return None
    found: Any = vars(sys.modules[module]).get(qualname) if module in sys.modules else None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def restore(
    cls: type[BaseException], payload: Any, *, group: str | None, members: list[BaseException]
) -> BaseException:
    """Return an instance with the args, the fields and the attributes of its built-in class; none of its methods runs.

    Raises:
        ValueError: the payload does not fit the class.
    """
    if type(payload) is not tuple or [type(part) for part in payload] != [tuple, dict, dict]:
        raise ValueError("its content did not arrive")
    args, fields, native = payload
    if issubclass(cls, OSError):
        args = _renumbered(args, native)
    base: Any = cls
    while vars(builtins).get(base.__name__) is not base:
        base = base.__base__
    if issubclass(cls, BaseExceptionGroup):
        error = _group(cls, base, group or "", members)
    elif issubclass(cls, UnicodeError) and base is not UnicodeError:
        error = _unicode_error(cls, base, native)
    else:
        error = base.__new__(cls, *args)
        error.args = args
        _restore_native(error, native)
    set_fields(error, plan_of(cls), {name: value for name, value in fields.items() if not _is_method(cls, name)})
    result: BaseException = error
    return result


def _is_method(cls: type, name: str) -> bool:
    """Return whether a name is a method's, or one that the interpreter reads: a field must not replace it."""
    if name in _READ_BY_TRACEBACK and issubclass(cls, (ImportError, AttributeError, NameError, SyntaxError)):
        return True
    found = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    return (name.startswith("__") and name.endswith("__")) or isinstance(found, _METHODS)


def _renumbered(args: tuple[Any, ...], native: dict[Any, Any]) -> tuple[Any, ...]:
    """Replace the process's error number by the host system's."""
    number, symbol = native.get("errno"), native.get(SYMBOL)
    own = vars(errno).get(symbol) if type(symbol) is str and symbol.startswith("E") else None
    if type(number) is not int or type(own) is not int:
        return args
    native["errno"] = own
    return (own, *args[1:]) if args and args[0] == number else args


def _group(cls: Any, base: Any, message: str, members: list[BaseException]) -> Any:
    if not members:
        raise ValueError("a group without members")
    if issubclass(cls, Exception) and not all(isinstance(member, Exception) for member in members):
        raise ValueError("a group with a member that it cannot hold")
    return base.__new__(cls, message, members)


def _unicode_error(cls: Any, base: Any, native: dict[Any, Any]) -> Any:
    # The interpreter's `str()` of such an error trusts these numbers: wrong ones would read beyond the end of the text.
    values = [native.get(name) for name in NATIVE[base.__name__]]
    text, start, end = values[-4:-1]
    kind = bytes if base is UnicodeDecodeError else str
    if type(text) is not kind or type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        raise ValueError("a Unicode error about no part of its text")
    error = base.__new__(cls)
    base.__init__(error, *values)
    return error


def _restore_native(error: Any, native: dict[Any, Any]) -> None:
    for cls in type(error).__mro__:
        if vars(builtins).get(cls.__name__) is not cls:
            continue
        for name in NATIVE.get(cls.__name__, ()):
            value = native.get(name)
            if cls is SyntaxError and value is not None:
                _check_syntax_error(name, value)
            if value is not None:
                cls.__dict__[name].__set__(error, value)


def _check_syntax_error(name: str, value: Any) -> None:
    # traceback prints as many carets as these numbers demand.
    good = type(value) is int and -1 <= value <= 1_000_000 if name in _NUMBERS else type(value) is str
    if not good:
        raise ValueError(f"a SyntaxError whose {name} makes no sense")
