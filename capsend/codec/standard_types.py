"""The table of standard classes with a special encoding: tag, parts and builder."""

from __future__ import annotations

import os
import re
import sys
import types
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from capsend.codec import arrays
from capsend.codec.limits import Budget, Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

# Any in this module is for the values themselves: a codec handles objects of every class.
INT: Final = frozenset({int})
STR: Final = frozenset({str})
FLOAT: Final = frozenset({float})
TUPLE: Final = frozenset({tuple})
DICT: Final = frozenset({dict})
TEXT: Final = frozenset({str, bytes})
BYTES: Final = frozenset({bytes})
BOOL: Final = frozenset({bool})
ANY: Final[frozenset[type]] = frozenset()


class Part(NamedTuple):
    """One part of a value: its name in a path, and the exact classes it may have (none: every class)."""

    name: str
    kinds: frozenset[type] = ANY


class Standard(NamedTuple):
    """The encoding of one standard class.

    Attributes:
        tag: the first element of its node.
        names: the classes, as module and name; a class is imported only for a value of it.
        parts: the parts that `read` returns; the last one repeats when `repeats` is set.
        read: (value) -> the parts.
        build: (budget, *parts) -> the value; for a mutable class (value, *parts) -> ignored, after `make`.
        make: an empty value of a mutable class, so that it can contain itself; None for an immutable one.
        copies: True if the value holds copies of its parts instead of the parts.
    """

    tag: str
    names: tuple[str, ...]
    parts: tuple[Part, ...]
    read: Callable[[Any], tuple[Any, ...]]
    build: Callable[..., Any]
    make: Callable[[], Any] | None = None
    repeats: bool = False
    copies: bool = True

    def check(self, parts: list[Any]) -> None:
        """Raise `Malformed` unless the parts have the number and the classes of the table."""
        expected = self.parts
        if self.repeats:
            expected = expected[:-1] + expected[-1:] * (len(parts) - len(expected) + 1)
        if len(parts) != len(expected):
            raise Malformed(f"{self.tag} has {len(parts)} parts")
        for part, value in zip(expected, parts, strict=True):
            if part.kinds and type(value) not in part.kinds:
                raise Malformed(f"{self.tag}: the {part.name} is a {type(value).__name__}")


def _module(name: str) -> Any:
    # Every name comes from this file, never from a message. A host has imported all of them: see `MODULES`.
    return sys.modules.get(name) or import_module(name)


def _decimal(budget: Budget, text: str) -> Any:
    body = text.removeprefix("-")
    if body.startswith(("NaN", "sNaN")):
        good = body.partition("NaN")[2].isdigit() or body.endswith("N")
    else:
        digits, _, exponent = body.partition("E")
        good = body == "Infinity" or (
            digits.replace(".", "", 1).isdigit() and (not exponent or exponent[1:].isdigit()) and len(exponent) < 24
        )
    if not good or not text.isascii():
        raise Malformed("not a decimal number")
    budget.spend(len(text) // 16)
    return _module("decimal").Decimal(text)


def _fraction(budget: Budget, numerator: int, denominator: int) -> Any:
    cls = _module("fractions").Fraction
    if denominator <= 0:
        raise Malformed("a fraction with no positive denominator")
    bits = max(numerator.bit_length(), denominator.bit_length())
    budget.spend((bits >> 6) ** 2 >> 4)
    return cls(numerator, denominator)


def _slice_parts(value: slice) -> tuple[Any, ...]:
    return value.start, value.stop, value.step


def _tz(value: Any) -> Any:
    if value is not None and _module("datetime").tzinfo not in type(value).__mro__:
        raise Malformed("the tzinfo is not a tzinfo")
    return value


def _timezone_parts(value: Any) -> tuple[Any, ...]:
    # (offset,) or (offset, name): the parts in pickle's own reduction; utc has none.
    return tuple(value.__getinitargs__())


def _timezone(_: Budget, *parts: Any) -> Any:
    module = _module("datetime")
    if len(parts) > 2 or type(parts[0]) is not module.timedelta:
        raise Malformed("a timezone is an offset and maybe a name")
    return module.timezone(*parts)


def _zone_parts(value: Any) -> tuple[Any, ...]:
    if value.key is None:
        raise ValueError("a ZoneInfo without a key was read from a file")
    return (value.key,)


def _zone(budget: Budget, key: str) -> Any:
    words = key.split("/")
    if len(key) > 64 or not all(w.isascii() and re.fullmatch(r"[\w+-]+", w) for w in words):
        raise Malformed("not the key of a time zone")
    budget.spend(1000)
    module = _module("zoneinfo")
    if budget.limits is not None and sys.platform != "wasi" and not _has_zone(module, key):
        raise Malformed("a time zone that the receiver does not have")
    return module.ZoneInfo(key)


def _has_zone(module: Any, key: str) -> bool:
    """Return whether the data of a time zone can be found without an import; `tzdata` has a package for each continent."""
    package = ".".join(("tzdata.zoneinfo", *key.split("/")[:-1]))
    return package in sys.modules or any(os.path.isfile(os.path.join(folder, key)) for folder in module.TZPATH)


def _kind_and_text(value: Any) -> tuple[Any, ...]:
    return type(value).__name__, str(value)


_PATHS: Final = ("PurePath", "PurePosixPath", "PureWindowsPath", "Path", "PosixPath", "WindowsPath")


def _path(_: Budget, kind: str, text: str) -> Any:
    if kind not in _PATHS:
        raise Malformed("not a kind of path")
    if kind in ("PosixPath", "WindowsPath") and (kind == "WindowsPath") != (sys.platform == "win32"):
        kind = f"Pure{kind}"
    return getattr(_module("pathlib"), kind)(text)


_ADDRESSES: Final = ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network", "IPv4Interface", "IPv6Interface")


def _address(_: Budget, kind: str, text: str) -> Any:
    # The class caches every spelling of a mask: only the spelling of `str` is accepted.
    length = text.partition("/")[2]
    if kind not in _ADDRESSES or len(text) > 256 or not re.fullmatch(r"|0|[1-9]\d{0,2}", length, re.ASCII):
        raise Malformed("not a kind of address")
    return getattr(_module("ipaddress"), kind)(text)


_RE_IGNORECASE: Final = 2
_RE_UNICODE: Final = 32
_RE_VERBOSE: Final = 64
_RE_TEMPLATE_DEBUG: Final = 1 | 128  # printing, and an obsolete flag that warns
_LONGEST_PATTERN: Final = 4_096
_NEAR: Final = 12  # characters of the longest escape, such as \\U0001f600
_WIDE: Final = 65_536  # steps that the compiler of `re` needs for the widest range of a character class
_WARNED_OF: Final = ("[[", "--", "&&", "~~", "||")
_IGNORES_CASE: Final = re.compile(r"\(\?[aiLmsux-]*i")
_HAS_COMMENTS: Final = re.compile(r"\(\?(#|[aiLmsu-]*x)")
_compile: Final[Any] = vars(re)["_compiler"].compile  # `re.compile` would cache the pattern
_CLASS: Final = re.compile(r"\\.|\[\^?(?P<body>\]?(?:\\.|[^\]\\])*)", re.DOTALL)


def _pattern(budget: Budget, pattern: str | bytes, flags: int) -> Any:
    if not 0 <= flags < 512 or flags & _RE_TEMPLATE_DEBUG:
        raise Malformed("not the flags of a regular expression")
    if budget.limits is not None:
        _charge_pattern(budget, pattern.decode("latin-1") if type(pattern) is bytes else str(pattern), flags)
    return _compile(pattern, flags & ~(_RE_UNICODE if type(pattern) is str else 0))


def _charge_pattern(budget: Budget, text: str, flags: int) -> None:
    """Charge the possible cost of compiling a pattern: the compiler enumerates ranges of character classes, and is slow on long texts."""
    if len(text) > _LONGEST_PATTERN:
        raise Malformed(
            f"a regular expression of more than {_LONGEST_PATTERN} characters is too much work: send its text"
        )
    if any(sign in text for sign in _WARNED_OF) and _is_warned_of(text, flags):
        raise Malformed("a regular expression that Python warns of: escape a character that its class repeats")
    folds = 3 if flags & _RE_IGNORECASE or _IGNORES_CASE.search(text) else 1
    wide = any(not text.isascii() or sign in text for sign in ("\\u", "\\U", "\\N", "\\x"))
    budget.spend(2_000 + 100 * len(text) * folds + (5_000 if wide or folds > 1 else 300) * text.count("["))
    at = text.find("-")
    while at >= 0:
        near = text[max(at - _NEAR, 0) : at + _NEAR + 1]
        if text[at + 1 : at + 2] != "]":
            budget.spend((_WIDE if "\\" in near or not near.isascii() else 128) * folds)
        at = text.find("-", at + 1)


def _is_warned_of(text: str, flags: int) -> bool:
    """Return whether compiling a pattern may print a warning, which the host would also keep."""
    if flags & _RE_VERBOSE or _HAS_COMMENTS.search(text):
        return True  # comments can hide the beginning of a character class
    bodies = [found["body"] or "" for found in _CLASS.finditer(text)]
    return any(body.startswith("[") or any(sign in body for sign in _WARNED_OF[1:]) for body in bodies)


def _logger(budget: Budget, name: str) -> Any:
    module = _module("logging")
    if budget.limits is not None and name != "root" and name not in module.root.manager.loggerDict:
        # Loggers live for ever, so a process must not cause the host to create any.
        raise Malformed("a logger that does not exist at the receiver")
    return module.getLogger(name)


def _array_parts(value: Any) -> tuple[Any, ...]:
    if value.typecode in "uw":
        return value.typecode, value.itemsize, value.tounicode()
    if sys.byteorder == "big":
        value = value[:]
        value.byteswap()
    return value.typecode, value.itemsize, value.tobytes()


def _array(_: Budget, code: str, size: int, data: str | bytes) -> Any:
    array = _module("array").array
    if len(code) != 1 or (code in "uw") != (type(data) is str):
        raise Malformed("not the type code of an array")
    result = array(code)
    if type(data) is str:
        result.fromunicode(data)
    elif result.itemsize == size:
        result.frombytes(data)
        if sys.byteorder == "big":
            result.byteswap()
    else:
        # `long` may have another size in the sender: items are read under a code of the sender's size.
        same = "bhiq" if code.islower() else "BHIQ"
        sent = array(next(c for c in same if array(c).itemsize == size))
        sent.frombytes(data)
        if sys.byteorder == "big":
            sent.byteswap()
        result.extend(array(code, sent))
    return result


def _method(_: Budget, function: Any, receiver: Any) -> Any:
    return types.MethodType(function, receiver)


def _method_caller_parts(value: Any) -> tuple[Any, ...]:
    make, parts = value.__reduce__()
    if type(make) is partial:
        return make.args[0], tuple(parts), dict(make.keywords)
    return parts[0], tuple(parts[1:]), {}


def _partial_state(value: Any) -> tuple[Any, ...]:
    return value.func, value.args, dict(value.keywords), dict(value.__dict__)


def _fill_partial(value: Any, function: Any, args: Any, keywords: Any, attributes: Any) -> None:
    # Not partial(function, ...): it would merge nested partials, which takes quadratic time.
    value.__setstate__((function, args, keywords, attributes or None))


def _fill_deque(value: Any, limit: int | None, *items: Any) -> None:
    value.__init__(items, limit)


def _fill_default(value: Any, factory: Any, content: dict[Any, Any]) -> None:
    value.__init__(factory)
    value.update(content)


def _fill_namespace(value: Any, content: dict[Any, Any]) -> None:
    if not set(map(type, content)) <= {str}:
        raise Malformed("a namespace with a name that is no str")
    value.__dict__.update(content)


def _names(module: str, *classes: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for name in classes)


_YEAR_TO_DAY: Final = (Part("year", INT), Part("month", INT), Part("day", INT))
_HOUR_TO_FOLD: Final = (
    *(Part(n, INT) for n in ("hour", "minute", "second", "microsecond")), Part("tzinfo"), Part("fold", INT)
)  # fmt: skip
_CONTENT: Final = (Part("content", DICT),)

STANDARD: Final[tuple[Standard, ...]] = (
    Standard("...", ("builtins.ellipsis",), (), lambda _: (), lambda _: ...),
    Standard("not", ("builtins.NotImplementedType",), (), lambda _: (), lambda _: NotImplemented),
    Standard(
        "complex", ("builtins.complex",), (Part("real", FLOAT), Part("imag", FLOAT)),
        lambda v: (v.real, v.imag), lambda _, real, imag: complex(real, imag),
    ),
    Standard(
        "range", ("builtins.range",), (Part("start", INT), Part("stop", INT), Part("step", INT)),
        _slice_parts, lambda _, *parts: range(*parts),
    ),
    Standard(
        "slice", ("builtins.slice",), (Part("start"), Part("stop"), Part("step")),
        _slice_parts, lambda _, *parts: slice(*parts), copies=False,
    ),
    Standard("decimal", ("decimal.Decimal",), (Part("text", STR),), lambda v: (str(v),), _decimal),
    Standard(
        "fraction", ("fractions.Fraction",), (Part("numerator", INT), Part("denominator", INT)),
        lambda v: (v.numerator, v.denominator), _fraction,
    ),
    Standard(
        "uuid", ("uuid.UUID",), (Part("int", INT), Part("is_safe", frozenset({int, type(None)}))),
        lambda v: (v.int, v.is_safe.value),
        lambda _, number, safe: _module("uuid").UUID(int=number, is_safe=_module("uuid").SafeUUID(safe)),
    ),
    Standard(
        "date", ("datetime.date",), _YEAR_TO_DAY,
        lambda v: (v.year, v.month, v.day), lambda _, *parts: _module("datetime").date(*parts),
    ),
    Standard(
        "time", ("datetime.time",), _HOUR_TO_FOLD,
        lambda v: (v.hour, v.minute, v.second, v.microsecond, v.tzinfo, v.fold),
        lambda _, *parts: _module("datetime").time(*parts[:4], _tz(parts[4]), fold=parts[5]),
    ),
    Standard(
        "datetime", ("datetime.datetime",), _YEAR_TO_DAY + _HOUR_TO_FOLD,
        lambda v: (v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond, v.tzinfo, v.fold),
        lambda _, *parts: _module("datetime").datetime(*parts[:7], _tz(parts[7]), fold=parts[8]),
    ),
    Standard(
        "timedelta", ("datetime.timedelta",), (Part("days", INT), Part("seconds", INT), Part("microseconds", INT)),
        lambda v: (v.days, v.seconds, v.microseconds), lambda _, *parts: _module("datetime").timedelta(*parts),
    ),
    Standard("timezone", ("datetime.timezone",), (Part("offset"), Part("name", STR)), _timezone_parts, _timezone,
             repeats=True),
    Standard(
        "zone", ("zoneinfo.ZoneInfo",), (Part("key", STR),),
        _zone_parts, _zone,
    ),
    Standard(
        "path", _names("pathlib", *_PATHS), (Part("kind", STR), Part("text", STR)), _kind_and_text, _path,
    ),
    Standard(
        "ip", _names("ipaddress", *_ADDRESSES), (Part("kind", STR), Part("text", STR)), _kind_and_text, _address,
    ),
    Standard(
        "pattern", ("re.Pattern",), (Part("pattern", TEXT), Part("flags", INT)),
        lambda v: (v.pattern, v.flags & ~_RE_TEMPLATE_DEBUG), _pattern,
    ),
    Standard(
        "array", ("array.array",), (Part("typecode", STR), Part("itemsize", INT), Part("data", TEXT)),
        _array_parts, _array,
    ),
    Standard(
        "view", ("builtins.memoryview",), (Part("format", STR), Part("shape", TUPLE), Part("readonly", BOOL), Part("data", BYTES)),
        arrays.view_parts, arrays.view,
    ),
    Standard(
        "ndarray", arrays.ARRAY, (Part("dtype"), Part("shape", TUPLE), Part("order", STR), Part("data", BYTES)),
        arrays.array_parts, arrays.array,
    ),
    Standard(
        "scalar", arrays.SCALARS, (Part("dtype"), Part("data", BYTES)), arrays.scalar_parts, arrays.scalar,
    ),
    Standard("dtype", arrays.DTYPES, (Part("dtype"),), arrays.dtype_parts, arrays.dtype),
    Standard("logger", _names("logging", "Logger", "RootLogger"), (Part("name", STR),), lambda v: (v.name,), _logger),
    Standard(
        "struct", _names("_struct", "Struct"), (Part("format", STR),),
        lambda v: (v.format,), lambda _, text: _module("struct").Struct(text),
    ),
    Standard(
        "itemgetter", _names("operator", "itemgetter"), (Part("item"),),
        lambda v: v.__reduce__()[1], lambda _, *items: _module("operator").itemgetter(*items), repeats=True, copies=False,
    ),
    Standard(
        "attrgetter", _names("operator", "attrgetter"), (Part("name", STR),),
        lambda v: v.__reduce__()[1], lambda _, *names: _module("operator").attrgetter(*names), repeats=True,
    ),
    Standard(
        "methodcaller", _names("operator", "methodcaller"),
        (Part("name", STR), Part("args", TUPLE), Part("keywords", DICT)), _method_caller_parts,
        lambda _, name, args, keywords: _module("operator").methodcaller(name, *args, **keywords),
    ),
    Standard(
        "alias", ("types.GenericAlias",), (Part("origin"), Part("args", TUPLE)),
        lambda v: (v.__origin__, v.__args__), lambda _, origin, args: types.GenericAlias(origin, args),
        copies=False,
    ),
    Standard("method", ("builtins.method",), (Part("__func__"), Part("__self__")),
             lambda v: (v.__func__, v.__self__), _method, copies=False),
    Standard(
        "partial", _names("functools", "partial"),
        (Part("func"), Part("args", TUPLE), Part("keywords", DICT), Part("attributes", DICT)),
        _partial_state, _fill_partial, make=lambda: partial(_module), copies=False,
    ),
    Standard(
        "deque", _names("collections", "deque"), (Part("maxlen", frozenset({int, type(None)})), Part("item")),
        lambda v: (v.maxlen, *v), _fill_deque, make=lambda: _module("collections").deque(), repeats=True, copies=False,
    ),
    Standard(
        "defaultdict", _names("collections", "defaultdict"), (Part("default_factory"), *_CONTENT),
        lambda v: (v.default_factory, dict(v)), _fill_default, make=lambda: _module("collections").defaultdict(),
    ),
    Standard(
        "ordered", _names("collections", "OrderedDict"), _CONTENT,
        lambda v: (dict(v.items()),), lambda v, content: v.update(content),
        make=lambda: _module("collections").OrderedDict(),
    ),
    Standard(
        "counter", _names("collections", "Counter"), _CONTENT,
        lambda v: (dict(v),), dict.update, make=lambda: _module("collections").Counter(),
    ),
    Standard(
        "namespace", ("types.SimpleNamespace",), _CONTENT,
        lambda v: (dict(v.__dict__),), _fill_namespace, make=types.SimpleNamespace,
    ),
)  # fmt: skip

BY_TAG: Final = {entry.tag: entry for entry in STANDARD}
MODULES: Final = tuple(
    sorted(
        {name.rpartition(".")[0] for entry in STANDARD for name in entry.names if not name.startswith("numpy.")}
        | {"struct"}
    )
)
"""The modules in the table: a host that decodes untrusted messages imports them in advance, except numpy, which it never imports."""

_BY_NAME: Final = {name: entry for entry in STANDARD for name in entry.names}


@lru_cache(maxsize=512)
def standard(cls: type) -> Standard | None:
    """Return the encoding of exactly this class; None for a class that is not in the table, or has only the name of one."""
    module, name = cls.__module__, cls.__qualname__
    entry = _BY_NAME.get(f"{module.removesuffix('._local') if name in _PATHS else module}.{name}")
    if entry is None:
        return None
    genuine = {type(...), type(NotImplemented), types.MethodType}
    if cls in genuine or getattr(sys.modules.get(module), name, None) is cls:
        return entry
    return None
