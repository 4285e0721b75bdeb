"""Values as text and back: the encoding of everything that host and guest exchange; `docs/wire.md` documents it."""

from __future__ import annotations

import io
import json
import re
import sys
from functools import cache, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

from capsend.codec.decoder import Decoder, unblob
from capsend.codec.encoder import (
    ATOMS,
    FLOAT,
    MANY,
    MANY_INTS,
    RAW,
    Encoder,
    InColumns,
    Instead,
    OwnEncoder,
    SharedRow,
    blob,
    dumps,
    pack,
)
from capsend.codec.limits import MAX_GENERAL_DEPTH, MAX_PLAIN_DEPTH, Budget, Limits, Malformed, NotEncodable, Stopped
from capsend.codec.segments import SMALLEST, size_of
from capsend.codec.standard_types import BY_TAG
from capsend.codec.tables import FEWEST_ROWS, columns_of, held_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "TAGS",
    "Instead",
    "Limits",
    "Malformed",
    "NotEncodable",
    "Stopped",
    "decode",
    "dumps",
    "encode",
    "loads",
    "parse",
]

TAGS: Final = tuple(BY_TAG)
_PLAIN: Final = ATOMS | {list, dict}
_CONTAINERS: Final = frozenset({tuple, list, dict})
_STR: Final = frozenset({str})
_INT: Final = frozenset({int})
_NUMBERS: Final = frozenset({int, float})
_BYTES: Final = frozenset({bytes, bytearray})
_ATOMS_AND_BYTES: Final = ATOMS | _BYTES | {list}
_SHORT_TEXT: Final = 64
_BRACKETS: Final = frozenset("[{")
_NO_ATOM: Final = object()
_MAX_DIGITS: Final = 4300
_SHORT: Final = 1 << 63  # ints below this are written without checking that JSON can read them back
_SAFE_RECURSION: Final = 5000  # above this depth a value could overflow the stack of the pickler
_STRUCTURE: Final = bytes.maketrans(b"{}", b"[]")
_NO_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{},"'))
_scan: Final = json.JSONDecoder().raw_decode
_unescaped: Final = OwnEncoder(ensure_ascii=False).encode
loads: Final = json.JSONDecoder().decode


def encode(
    value: Any,
    *,
    externals: Callable[[Any], Any] = lambda _: None,
    pickled: bool = False,
    prefix: str = "",
    shared: Callable[[Any], Any] | None = None,
    stand_in: Callable[[Any], Any] | None = None,
    segments: list[bytes] | None = None,
) -> str:
    """Return the message for `value`, as ASCII text; classes, sharing and cycles are preserved.

    Args:
        value: the value to encode.
        externals: called for every function, class, module and instance. It returns a reference, which is JSON nested
            at most two levels deep, or `Instead` with a value to write in its place, or None; it may raise
            `NotEncodable`. For None, an instance is written by its fields, and anything else is refused.
        pickled: write values of built-in classes as a pickle, which only a decoder without limits reads, several times
            as fast: for receivers that trust the sender.
        prefix: text that comes before the message in the returned text.
        shared: called for every part, whatever its class, before `externals`; returns its reference or None.
        stand_in: called for every instance, before `externals`; returns a value to write in its place, or None.
        segments: an empty list, to which large bytes are appended for sending next to the text; None to write them in
            the text.

    Raises:
        NotEncodable: a part has no encoding; the error's `path` leads to the part.
    """
    kind = type(value)
    if kind is str and value.isascii():
        return f"{prefix}s{value}"
    if kind is int and -_SHORT < value < _SHORT:
        return f"{prefix}p{value}"
    if value is None:
        return f"{prefix}pnull"
    if kind in _CONTAINERS and shared is None and _is_short(kind, value):
        text = _json(value)
        if text is not None:
            return f"{prefix}{'t' if kind is tuple else 'p'}{text}"
    if pickled and (segments is None or not _is_packed(value)):
        data = _pickle(value)
        if data is not None:
            if segments is not None and len(data) >= SMALLEST:
                segments.append(data)
                return f"{prefix}k{RAW:02}"
            body, form = blob(data)
            return f"{prefix}k{form:02}{body}"
    letter, layer, root = _root(value)
    may_be_plain = shared is None and (kind in _CONTAINERS or kind in ATOMS)
    prepared = _prepared(layer) if may_be_plain and segments is not None else None
    plain = may_be_plain and not prepared and _is_plain(layer, ints=MANY_INTS if segments is not None else sys.maxsize)
    if plain:
        text = _json(root)
        if text is not None:
            return f"{prefix}{letter}{text}"
    encoder = partial(Encoder, externals, shared=shared, stand_in=stand_in, segments=segments)
    for careful in (True,) if plain else (False, True):
        if segments is not None:
            segments.clear()
        try:
            nodes, blobs = encoder(careful=careful, prepared=prepared).encode(value)
        except SharedRow:
            prepared = None
            cast("list[bytes]", segments).clear()
            nodes, blobs = encoder(careful=careful).encode(value)
        text = _json(nodes)
        if text is not None:
            return "".join([prefix, f"g{len(text):x}:", text, *blobs])
    raise NotEncodable(value, "a reference that is no proper JSON")


def _is_short(kind: type, value: Any) -> bool:
    """Return whether a tuple, list or dict has few elements, all of them atoms: as most messages are."""
    if len(value) >= MANY:
        return False
    if kind is dict:
        return _STR.issuperset(map(type, value)) and ATOMS.issuperset(map(type, value.values()))
    return ATOMS.issuperset(map(type, value))


@cache
def _pickler() -> type[Any]:
    import pickle

    class Builtins(pickle.Pickler):
        """Pickles values of built-in classes exactly and refuses all others."""

        def reducer_override(self, obj: object) -> Any:
            raise pickle.PicklingError(f"{type(obj)} is none of them")

    return Builtins


def _pickle(value: Any) -> bytes | None:
    """Return a pickle of a value made only of None, numbers, text, bytes and their plain containers; None for other values."""
    if sys.getrecursionlimit() > _SAFE_RECURSION:
        return None
    file = io.BytesIO()
    try:
        _pickler()(file, 5).dump(value)
    except Exception:  # noqa: BLE001 - a serious error occurs again in the general form
        return None
    return file.getvalue()


def _prepared(layer: list[Any]) -> InColumns | None:
    """Return what is written in another form than others: the tables and long lists of numbers among these values."""
    made: dict[int, tuple[str, Any]] = {}
    rows: set[int] = set()
    for each in layer:
        if type(each) is not list or len(each) < FEWEST_ROWS:
            continue
        kind = type(each[0])
        if kind is dict:
            table = columns_of(each)
            if table is not None:
                keys, columns, kinds = table
                made[id(each)] = "D", list(chain.from_iterable(zip(keys, columns, strict=True)))
                packed = [(column, pack(column, kinds)) for column, kinds in zip(columns, kinds, strict=True)]
                made |= {id(column): numbers for column, numbers in packed if numbers is not None}
                held = held_elsewhere(each) if _has_several(layer) else set[int]()
                if not rows.isdisjoint(held):
                    return None
                rows |= held
        elif _is_of_numbers(each) and (numbers := pack(each, set(map(type, each)))) is not None:
            made[id(each)] = numbers
    return InColumns(made, rows) if made else None


def _has_several(layer: list[Any]) -> bool:
    """Return whether several of these values can hold others; a table that is alone shares its rows with nothing."""
    return sum(type(each) not in ATOMS and not (type(each) is dict and not each) for each in layer) > 1


def _is_packed(value: Any) -> bool:
    """Return whether a call's arguments are large bytes or long lists of numbers, without anything that a pickle writes faster."""
    if type(value) is not tuple or len(value) != 2 or type(value[0]) is not tuple or type(value[1]) is not dict:
        return False
    arguments = (*value[0], *value[1].values())
    kinds = set(map(type, arguments))
    if kinds <= ATOMS or not kinds <= _ATOMS_AND_BYTES:
        return False
    if list in kinds and not all(_is_of_numbers(each) for each in arguments if type(each) is list):
        return False
    return any(type(each) not in ATOMS and len(each) >= FEWEST_ROWS for each in arguments)


def _is_of_numbers(value: list[Any]) -> bool:
    """Return whether a list is long and probably contains numbers of one class."""
    return len(value) >= FEWEST_ROWS and type(value[0]) in _NUMBERS and type(value[-1]) is type(value[0])


def _root(value: Any) -> tuple[str, list[Any], Any]:
    """Return (letter of the plain form, first layer to check, value for JSON to write)."""
    if type(value) is tuple:
        if len(value) == 2 and type(value[0]) is tuple and type(value[1]) is dict:
            return "c", [*value[0], value[1]], [value[0], value[1]]
        return "t", list(value), value
    return "p", [value], value


def _is_plain(layer: list[Any], *, ints: int = sys.maxsize) -> bool:
    """Return whether JSON holds these values exactly and efficiently.

    It checks layer by layer, without a Python call per element.

    Args:
        layer: the values.
        ints: the average number of ints per list from which on lists of ints are packed.
    """
    seen: set[int] = set()
    count = 0
    lists, dicts = [layer], list[Any]()
    for _ in range(MAX_PLAIN_DEPTH - 2):
        kinds = set(map(type, chain.from_iterable(lists)))
        kinds.update(map(type, chain.from_iterable(map(dict.values, dicts))))
        if kinds <= ATOMS:
            many = MANY if kinds == FLOAT else ints if kinds == _INT else sys.maxsize
            return not lists or sum(map(len, lists)) < many * len(lists)
        if not kinds <= _PLAIN:
            return False
        layer = [*chain.from_iterable(lists), *chain.from_iterable(map(dict.values, dicts))]
        lists = _of(list, layer, kinds)
        dicts = _of(dict, layer, kinds)
        seen.update(map(id, lists))
        seen.update(map(id, dicts))
        count += len(lists) + len(dicts)
        if len(seen) != count or not set(map(type, chain.from_iterable(dicts))) <= _STR:
            return False
    return False


def _of(kind: type, layer: list[Any], kinds: set[type]) -> list[Any]:
    """Return the values of this kind in a layer; most layers have only one kind."""
    if kind not in kinds:
        return []
    return layer if len(kinds) == 1 else [item for item in layer if type(item) is kind]


def _json(root: Any) -> str | None:
    """Return JSON for `root`; None if it could not be read back because of surrogates or very long ints."""
    try:
        text = dumps(root)
        if "\\ud" in text:
            _unescaped(root).encode()
    except ValueError:  # UnicodeEncodeError too
        return None
    limit = sys.get_int_max_str_digits()
    return text if 0 < limit <= _MAX_DIGITS or not _long_digits(text) else None


def _long_digits(text: str) -> bool:
    return re.search(rf"\d{{{_MAX_DIGITS + 1}}}", text) is not None


def decode(  # noqa: PLR0913 - options of one thing, all by keyword
    text: str,
    *,
    resolve: Callable[[Any], Any] = lambda _: _no_references(),
    may_build: Callable[[type], bool] = lambda _: True,
    limits: Limits | None = None,
    start: int = 0,
    is_unwanted: Callable[[], bool] | None = None,
    segments: Sequence[bytes] = (),
    check: Callable[[list[Any], Budget], object] | None = None,
) -> Any:
    """Return the value of a message.

    No method of a class in the message runs, except a class's own `__setstate__`, and `__hash__` and `__eq__` of
    instances that are keys or elements of a set.

    Args:
        text: a message made by `encode`.
        resolve: returns the object of a reference; may raise any error.
        may_build: returns whether a message may contain instances of a class.
        limits: bounds on the cost of decoding; None to trust the sender.
        start: the position in the text at which the message begins.
        is_unwanted: returns whether the value is no longer wanted; called repeatedly.
        segments: the bytes that travel next to the text.
        check: called with the nodes of a general message before they are decoded; it may raise `Malformed`.

    Raises:
        Malformed: the text is not a message, has an unknown reference, or exceeds the limits.
        Stopped: `is_unwanted` returned true.
    """
    if len(text) - start <= _SHORT_TEXT and text.startswith("p", start) and not segments:
        atom = _atom(text[start + 1 :])
        if atom is not _NO_ATOM:
            return atom
    try:
        if limits is None and text.startswith("k", start):
            return _unpickled(text, start, segments)
        return _decode(
            text[start:] if start else text, resolve, may_build, Budget(limits, is_unwanted), segments, check
        )
    except (Malformed, Stopped):
        raise
    except Exception as error:
        if limits is None and isinstance(error, MemoryError):
            raise  # the sender is trusted: this process itself lacks memory
        raise Malformed(f"not a message: {type(error).__name__}: {str(error)[:200]}") from error


def _atom(text: str) -> Any:
    """Return the value of a short JSON text of a number, text or constant; `_NO_ATOM` for other texts."""
    if text[:1] in _BRACKETS or not text.isascii():
        return _NO_ATOM
    try:
        value, end = _scan(text)
    except ValueError:
        return _NO_ATOM
    return value if end == len(text) else _NO_ATOM


def _decode(
    text: str,
    resolve: Callable[[Any], Any],
    may_build: Callable[[type], bool],
    budget: Budget,
    segments: Sequence[bytes],
    check: Callable[[list[Any], Budget], object] | None,
) -> Any:
    limits = budget.limits
    if type(text) is not str or not text.isascii():
        raise Malformed("a message is ASCII text")
    if limits is not None and (total := len(text) + size_of(segments)) > limits.max_chars:
        raise Malformed(f"a message of {total} characters is above the limit of {limits.max_chars}")
    letter = text[:1]
    if segments and letter != "g":
        raise Malformed("bytes beside a text that has none")
    if letter == "s":
        return text[1:]
    if letter == "g":
        size, colon, _ = text[1:18].partition(":")
        start = 2 + len(size)
        end = start + int(size, 16)
        if not colon or not size.isalnum() or not start < end <= len(text):
            raise Malformed("the length of the nodes is wrong")
        nodes = parse(text[start:end], limits, depth=MAX_GENERAL_DEPTH)
        if type(nodes) is not list or not nodes:
            raise Malformed("a message without nodes")
        budget.look()
        if check is not None:
            check(nodes, budget)
        decoder = Decoder(
            nodes, text, start=end, resolve=resolve, may_build=may_build, budget=budget, segments=segments
        )
        return decoder.decode()
    if letter not in ("p", "t", "c"):
        raise Malformed("a message of an unknown form")
    root = parse(text[1:], limits, depth=MAX_PLAIN_DEPTH)
    if letter == "p":
        return root
    if type(root) is not list:
        raise Malformed("a tuple is written as an array")
    if letter == "t":
        return tuple(root)
    if len(root) != 2 or type(root[0]) is not list or type(root[1]) is not dict:
        raise Malformed("a call is written as an array and an object")
    return tuple(root[0]), root[1]


def _unpickled(text: str, start: int, segments: Sequence[bytes]) -> Any:
    import pickle

    form = int(text[start + 1 : start + 3])
    data = segments[0] if form == RAW else unblob(text[start + 3 :], form)

    # Trusted: the host made it. Guests never send this form, and a decoder with limits refuses it.
    return pickle.loads(data)  # noqa: S301 - see above


def parse(text: str, limits: Limits | None, *, depth: int) -> Any:
    """Parse JSON text within the limits; `depth` bounds its nesting."""
    # A text that is shorter than each limit cannot exceed any.
    if (
        limits is not None
        and len(text) > min(depth, limits.max_items, limits.max_nodes)
        and ("[" in text or "{" in text)
    ):
        _check_structure(text, limits, depth)
    digits = sys.get_int_max_str_digits()
    if digits != _MAX_DIGITS and re.search(rf"\d{{{min(digits or _MAX_DIGITS, _MAX_DIGITS) + 1}}}", text):
        return json.JSONDecoder(parse_int=_parse_int).decode(text)
    value, end = _scan(text)
    if end != len(text):
        raise Malformed("text after the value")
    return value


def _parse_int(text: str) -> int:
    # The interpreter's own limit may be lower than the format's, or switched off.
    if len(text) > _MAX_DIGITS + 1:
        raise Malformed("an int of too many digits")
    value = 0
    digits = text.removeprefix("-")
    for start in range(0, len(digits), 500):
        piece = digits[start : start + 500]
        value = value * 10 ** len(piece) + int(piece)
    return -value if text.startswith("-") else value


def _check_structure(text: str, limits: Limits, depth: int) -> None:
    """Refuse JSON that is nested too deep or has too many parts, before the parser builds it."""
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    marks = text.encode("ascii").translate(_STRUCTURE, _NO_STRUCTURE).replace(b'""', b"")
    if b'"' in marks:
        marks = b"".join(marks.split(b'"')[::2])
    if marks.count(b",") > limits.max_items:
        raise Malformed(f"a message of more than {limits.max_items} items")
    marks = marks.translate(None, b",")
    if len(marks) > 2 * limits.max_nodes:
        raise Malformed(f"a message of more than {limits.max_nodes} nodes")
    for _ in range(depth):
        if not marks:
            return
        marks = marks.replace(b"[]", b"")
    if marks:
        raise Malformed(f"a message nested deeper than {depth} levels")


def _no_references() -> Any:
    raise LookupError("references are not known without a program")
