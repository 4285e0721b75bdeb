"""Exceptions as data: a process describes the exception that ended it, however hostile the exception is."""

from __future__ import annotations

import errno
from collections import deque
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Final

from capsend import codec
from capsend.codec.instances import fields_of, plan_of

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ERRORS: Final = 100
MAX_FRAMES: Final = 50  # at each end of a traceback
MAX_MESSAGE: Final = 64 << 10
MAX_PAYLOAD: Final = 1 << 20
MAX_NOTES: Final = 100
MAX_TEXT: Final = 8 << 20

# The attributes of the built-in classes other than `args` that an exception needs to print as before.
# `AttributeError.obj` stays in the guest.
NATIVE: Final[dict[str, tuple[str, ...]]] = {
    "OSError": ("errno", "strerror", "filename", "filename2"),
    "ImportError": ("msg", "name", "path"),
    "NameError": ("name",),
    "AttributeError": ("name",),
    "StopIteration": ("value",),
    "SystemExit": ("code",),
    "SyntaxError": ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset"),
    "UnicodeEncodeError": ("encoding", "object", "start", "end", "reason"),
    "UnicodeDecodeError": ("encoding", "object", "start", "end", "reason"),
    "UnicodeTranslateError": ("object", "start", "end", "reason"),
}

SYMBOL: Final = "symbol"
"""The key of an `OSError`'s symbol, such as `ENOENT`: WASI and the host's system number errors differently."""

_RUNTIME: Final = "capsend_guest"


def describe(error: BaseException, *, externals: Callable[[Any], Any]) -> str:
    """Return an exception as JSON: itself, its causes and contexts, the members of groups, their notes and frames.

    Args:
        error: the exception.
        externals: names classes and functions, as for `codec.encode`.
    """
    try:
        return _within_bounds(_Description(externals).all_of(error))
    except BaseException as failure:  # noqa: BLE001 - memory or stack is used up, or the exception defends itself
        # The objects in its frames are released, and only a name is reported.
        base: Any = BaseException
        base.__traceback__.__set__(error, None)
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        told = {"type": name[:500], "message": f"({type(failure).__name__} while describing it)", "bare": True}
        return codec.dumps({"errors": [told]})


def _within_bounds(told: list[dict[str, Any]]) -> str:
    """Return the JSON of the exceptions, outermost first, that fit the host's bound."""
    sizes = accumulate(map(len, told[0]["notes"]))
    told[0]["notes"] = [note for note, size in zip(told[0]["notes"], sizes, strict=True) if size < 4 * MAX_MESSAGE]
    size = 0
    texts: list[str] = []
    for each in told:
        text = codec.dumps(each)
        size += len(text) + 1
        if texts and size > MAX_TEXT - 100:
            break
        texts.append(text)
    return f'{{"errors":[{",".join(texts)}]}}'


class _Description:
    """The exceptions described so far; each is described once, so chains may be cyclic."""

    def __init__(self, externals: Callable[[Any], Any]) -> None:
        self._externals = externals
        self._found: list[BaseException] = []
        self._numbers: dict[int, int] = {}

    def all_of(self, error: BaseException) -> list[dict[str, Any]]:
        """Describe an exception and all exceptions linked to it, outermost first."""
        self._number(error)
        told: list[dict[str, Any]] = []
        while len(told) < len(self._found):
            told.append(self._one(self._found[len(told)]))
        return told

    def _number(self, error: Any) -> int | None:
        if error is None:
            return None
        number = self._numbers.get(id(error))
        if number is None and len(self._found) < MAX_ERRORS:
            number = self._numbers[id(error)] = len(self._found)
            self._found.append(error)
        return number

    def _one(self, error: BaseException) -> dict[str, Any]:
        # Attributes are read past the class of the exception: its properties and its `__getattribute__` may do
        # anything.
        base: Any = BaseException
        attributes = base.__dict__
        told = {
            "type": f"{type(error).__module__}.{type(error).__qualname__}"[:500],
            "class": self._class(type(error)),
            "message": message_of(error),
            "notes": _notes(error),
            "frames": _frames(attributes["__traceback__"].__get__(error)),
            "cause": self._number(attributes["__cause__"].__get__(error)),
            "context": self._number(attributes["__context__"].__get__(error)),
            "suppress": attributes["__suppress_context__"].__get__(error) is True,
        }
        if BaseExceptionGroup in type(error).__mro__:
            group: Any = BaseExceptionGroup
            told["group"] = _cut(group.message.__get__(error))
            told["members"] = [self._number(member) for member in group.exceptions.__get__(error)]
        if type(error).__module__ == "decimal":
            told["bare"] = True  # its args are classes without a public name
            return told
        try:
            told["payload"] = self._payload(error)
        except codec.NotEncodable as refused:
            told["why"] = _cut(f"its {_part(refused.steps)} cannot be sent: {refused.reason}", 500)
        except Exception as failure:  # noqa: BLE001 - see above
            told["why"] = f"reading its content failed with {type(failure).__name__}"
        return told

    def _class(self, cls: type) -> Any:
        try:
            return self._externals(cls)
        except Exception:  # noqa: BLE001 - a class without a name is described by its type alone
            return None

    def _payload(self, error: BaseException) -> str:
        """Return the content of an exception as codec text: args, fields, and the attributes of its built-in class."""
        base: Any = BaseException
        group = BaseExceptionGroup in type(error).__mro__
        args = () if group else base.args.__get__(error)
        fields = {n: v for n, v in fields_of(error, plan_of(type(error))).items() if n != "__notes__"}
        native = {}
        for cls in type(error).__mro__:
            if cls.__module__ == "builtins":
                for name in NATIVE.get(cls.__name__, ()):
                    native[name] = cls.__dict__[name].__get__(error)
        if type(native.get("errno")) is int:
            native[SYMBOL] = errno.errorcode.get(native["errno"])
        text = codec.encode((args, fields, native), externals=self._reference)
        if len(text) > MAX_PAYLOAD:
            raise codec.NotEncodable(error, f"they are larger than {MAX_PAYLOAD} characters", steps=("[0]",))
        return text

    def _reference(self, thing: Any) -> Any:
        if BaseException in type(thing).__mro__:
            number = self._number(thing)
            return None if number is None else {"e": number}
        return self._externals(thing)


def message_of(error: BaseException) -> str:
    """Return `str(error)`, cut to a bounded length; never raise."""
    try:
        return _cut(str(error))
    except BaseException as failure:  # noqa: BLE001 - __str__ is user code
        return f"<its __str__ failed with {type(failure).__name__}>"


def _cut(text: Any, limit: int = MAX_MESSAGE) -> str:
    text = str.__str__(text) if str in type(text).__mro__ else ""
    text = text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
    # JSON would merge two adjacent surrogates; text for people gets an escape instead.
    return str(text.encode("utf-8", "backslashreplace"), "utf-8")


def _part(steps: tuple[str, ...]) -> str:
    part, rest = steps[:1], "".join(steps[1:])
    return f"attribute {rest[2:].replace(chr(39), '', 1).rstrip(']')}" if part == ("[1]",) else f"args{rest}"


def _notes(error: BaseException) -> list[str]:
    notes = object.__getattribute__(error, "__dict__").get("__notes__")
    return [_cut(note) for note in notes[:MAX_NOTES] if isinstance(note, str)] if type(notes) is list else []


def _frames(traceback: Any) -> list[list[Any]]:
    """Return [file, line, last line, column, last column, function] per frame, without the frames of this package."""
    first: list[Any] = []
    last: deque[Any] = deque(maxlen=MAX_FRAMES)
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not traceback.tb_frame.f_globals.get("__name__", "").startswith(_RUNTIME):
            (first if len(first) < MAX_FRAMES else last).append(traceback)
        traceback = traceback.tb_next
    frames = []
    for each in (*first, *last):
        code = each.tb_frame.f_code
        line, end_line, column, end_column = next(
            islice(code.co_positions(), max(each.tb_lasti // 2, 0), None), (None, None, None, None)
        )
        if line is None:
            line, end_line = each.tb_lineno, None
        frames.append([_cut(code.co_filename, 500), line, end_line, column, end_column, _cut(code.co_name, 200)])
    return frames
