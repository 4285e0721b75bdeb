"""Items: the messages between home and nodes, as bytes; docs/peers.md documents them.

An item is a word, its fields and a body. On the wire come first the lengths of head and body, four bytes each in
network order; then the head, a JSON array of the word and its fields; then the body. Nothing that a peer writes is ever
unpickled: a head is JSON with fields of the kinds in `WORDS`, a body is text or bytes for a guest.
"""

from __future__ import annotations

import collections
import operator
import re
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from capsend import codec
from capsend.capabilities.handles import MOST_HANDLES
from capsend.codec.segments import MOST as MOST_SEGMENTS
from capsend.runtime.terms import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

LARGEST_HEAD: Final = 4 << 20
LARGEST_BODY: Final = 1 << 30
LENGTHS: Final = struct.Struct("!II")
PART: Final = 1 << 20
"""Bytes of one part of a result: a longer result is sent in parts, and other items may go between them."""

_LONGEST_TEXT: Final = 1 << 16
_CHECKED: Final = 4_096
"""Heads longer than this are checked before they are sent. A shorter head cannot contain a text or a list that is too long."""

_LARGEST: Final = 1 << 62
_write: Final = codec.dumps
_read: Final = codec.loads


class Malformed(ValueError):
    """A peer sent bytes that are not an item; its connection is closed."""


class Item(NamedTuple):
    """One item.

    Attributes:
        word: its kind, one of `WORDS`.
        fields: as `WORDS` requires for the word.
        body: text or bytes.
    """

    word: str
    fields: list[Any]
    body: bytes


def _number(value: Any) -> bool:
    return type(value) is int and -_LARGEST < value < _LARGEST


def _text(value: Any) -> bool:
    return type(value) is str and len(value) <= _LONGEST_TEXT


def _value(value: Any) -> bool:
    """Return whether a value may be the value of an environment variable: a text, which may be as long as a head."""
    return type(value) is str


def _flag(value: Any) -> bool:
    return type(value) is bool


def _seconds(value: Any) -> bool:
    return value is None or (type(value) in {int, float} and value == value and abs(value) < _LARGEST)  # noqa: PLR0124 - no NaN


def _several(of: Callable[[Any], bool], most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is list and len(value) <= most and all(map(of, value))


def _table(of: Callable[[Any], bool], most: int) -> Callable[[Any], bool]:
    return lambda value: (
        type(value) is dict and len(value) <= most and all(map(_text, value)) and all(map(of, value.values()))
    )


_ADDRESS: Final = (_text, _number, _number, _number, _text, _number, _number, _number, _number, _text)
_FUNCTION: Final = (_number, _number, _text, _flag)


def _reference(value: Any) -> bool:
    """Return whether a value is a reference to an address or a host function; see `capsend.cluster.references`."""
    if type(value) is not list or not value:
        return False
    kinds = _ADDRESS if value[0] == "a" else _FUNCTION if value[0] == "f" else ()
    return len(value) == len(kinds) + 1 and all(map(operator.call, kinds, value[1:]))


_references = _several(_reference, MOST_HANDLES)
_numbered = _table(_reference, MOST_HANDLES)
_sizes = _several(_number, MOST_SEGMENTS + 2)
_texts = _several(_text, 1_000)
_limits = _several(_seconds, len(LIMITS))
_variables = _table(_value, 10_000)
_figures = _several(_seconds, 7)

WORDS: Final[dict[str, tuple[Callable[[Any], bool], ...]]] = {
    # id, versions, cpus, memory
    "hello": (_text, _texts, _number, _number),
    # id, host, port
    "join": (_text, _text, _number),
    # id, words
    "left": (_text, _text),
    # cpu seconds of the program; from a node the number of the sign of life, from home the number of the last one
    # received
    "beat": (_seconds, _number),
    # digest of an image file in hexadecimal, True for its last part; the body is the part
    "image": (_text, _flag),
    # number, name, takes a mailbox, number of a program that is run repeatedly or 0, limits, mailbox_full, variables,
    # packages, all packages with versions, digest of an image file, content key, stdout needed, stderr needed,
    # log level, handles, sizes of program, call and segments
    "spawn": (
        _number,
        _text,
        _flag,
        _number,
        _limits,
        _text,
        _variables,
        _texts,
        _texts,
        _text,
        _text,
        _flag,
        _flag,
        _number,
        _references,
        _sizes,
    ),
    # digest of the body in hexadecimal; the body is a WebAssembly module
    "module": (_text,),
    # number, digest of the module, its name, the function's name, the call's name, limits, mailbox_full, variables,
    # stdout needed, stderr needed, handles, the size of the argument
    "run": (
        _number,
        _text,
        _text,
        _text,
        _text,
        _limits,
        _text,
        _variables,
        _flag,
        _flag,
        _references,
        _sizes,
    ),
    # number, why
    "kill": (_number, _text),
    # number, stream, flush
    "out": (_number, _number, _flag),
    # number, level, logger
    "log": (_number, _number, _text),
    # number
    "part": (_number,),
    # number, kind, reason, words, figures, handles by number, sizes of text and segments
    "result": (_number, _text, _text, _text, _figures, _numbered, _sizes),
    # number, call
    "stats": (_number, _number),
    # number, call, figures
    "figures": (_number, _number, _figures),
    # root, number, call, function, handles by number, sizes of text and segments
    "call": (_number, _number, _number, _number, _numbered, _sizes),
    # root, number
    "forget": (_number, _number),
    # root, number
    "done": (_number, _number),
    # root, number, call
    "warn": (_number, _number, _number),
    # call, kind, handles, sizes of text and segments
    "answer": (_number, _text, _references, _sizes),
    # key, tag, trusted, is data, root of the sender, is a child, handles, sizes of text and segments
    "m": (_number, _number, _flag, _flag, _number, _flag, _references, _sizes),
    # key, messages, bytes
    "ack": (_number, _number, _number),
    # key
    "watch": (_number,),
    "unwatch": (_number,),
    # key, reason, words
    "closed": (_number, _text, _text),
    # key, the other port
    "link": (_number, _reference),
    "unlink": (_number, _reference),
    # number
    "sync": (_number,),
    "synced": (_number,),
    "bye": (),
    # between home and the daemon of a machine: id, number, heartbeat, lost_after; the body is JSON, the credentials of
    # the node
    "serve": (_text, _number, _seconds, _seconds),
    # port, name, labels
    "serving": (_number, _text, _table(_text, 1_000)),
    # words
    "refused": (_text,),
}
"""{word: one test for each field}."""


_FLAGS: Final = ("false", "true")
_MESSAGE: Final = re.compile(
    rb'\["m",(-?\d{1,18}),(\d{1,18}),(true|false),(true|false),(\d{1,18}),(true|false),\[\],\[(\d{1,18})\]\]'
)
"""The head of a message without handles and segments: there are many, and they are read without JSON and the table."""


def message_head(key: int, tag: int, size: int, *, trusted: bool, is_data: bool, root: int, is_child: bool) -> bytes:
    """Return what `packed_head` does for a message of *size* bytes without handles and segments; errors as `pack`."""
    if size > LARGEST_BODY:
        raise Malformed(f"a message of {size} bytes is larger than an item can be")
    flags = _FLAGS[trusted], _FLAGS[is_data], _FLAGS[is_child]
    head = f'["m",{key},{tag},{flags[0]},{flags[1]},{root},{flags[2]},[],[{size}]]'.encode("ascii")
    return LENGTHS.pack(len(head), size) + head


def pack(word: str, fields: Iterable[Any], body: bytes = b"") -> bytes:
    """Return an item as bytes.

    Raises:
        Malformed: the item, or one of its fields, is larger than a peer accepts.
    """
    return packed_head(word, fields, len(body)) + body


def packed_head(word: str, fields: Iterable[Any], size: int) -> bytes:
    """Return the bytes of an item that precede its body of *size* bytes; errors as for `pack`."""
    head = _write([word, *fields]).encode("ascii")
    if len(head) > LARGEST_HEAD or size > LARGEST_BODY:
        raise Malformed(f"{word!r} of {len(head)} and {size} bytes is larger than an item can be")
    if len(head) > _CHECKED:
        unpack(head, b"")  # the other end would take it for nonsense, and end the connection
    return LENGTHS.pack(len(head), size) + head


def lengths(data: bytes) -> tuple[int, int]:
    """Return the lengths of head and body.

    Raises:
        Malformed: no item can be that large.
    """
    head, body = LENGTHS.unpack(data)
    if head > LARGEST_HEAD or body > LARGEST_BODY:
        raise Malformed("an item is too large")
    return head, body


def unpack(head: bytes, body: bytes) -> Item:
    """Return an item.

    Raises:
        Malformed: the head is not JSON, its word is unknown, or its fields do not fit the word.
    """
    message = _MESSAGE.fullmatch(head)
    if message is not None:
        key, tag, trusted, is_data, root, is_child, size = message.groups()
        flags = trusted == b"true", is_data == b"true", is_child == b"true"
        return Item("m", [int(key), int(tag), flags[0], flags[1], int(root), flags[2], [], [int(size)]], body)
    try:
        told = _read(head.decode("ascii"))
    except (ValueError, RecursionError):
        raise Malformed("the head of an item is not JSON") from None
    if type(told) is not list or not told or type(told[0]) is not str:
        raise Malformed("the head of an item is not a list")
    word, fields = told[0], told[1:]
    kinds = WORDS.get(word)
    if kinds is None or len(fields) != len(kinds):
        raise Malformed(f"{word[:20]!r} with {len(fields)} fields is no item")
    if not all(map(operator.call, kinds, fields)):
        raise Malformed(f"an item {word!r} has a field of another kind")
    return Item(word, fields, body)


def joined(texts: Iterable[str], segments: Iterable[bytes] = ()) -> tuple[list[int], bytes]:
    """Return (sizes, body): the texts and segments joined to a body, and the size of each."""
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    parts += segments
    return [len(part) for part in parts], parts[0] if len(parts) == 1 else b"".join(parts)


def in_parts(pieces: Iterable[bytes], *, most: int = PART) -> Iterator[bytes | memoryview]:
    """Yield a large body, which is never assembled, in parts of *most* bytes; the last part has the rest, at least one byte.

    Args:
        pieces: the texts and segments of the body, one after the other.
        most: the bytes of a part.
    """
    beginning = b""
    for piece in pieces:
        view = memoryview(piece)
        while len(beginning) + len(view) > most:
            size = most - len(beginning)
            yield beginning + view[:size] if beginning else view[:size]
            beginning, view = b"", view[size:]
        beginning += view
    yield beginning


def split(body: bytes, sizes: list[int], texts: int, *, before: Sequence[bytes] = ()) -> tuple[list[str], list[bytes]]:
    """Return (texts, segments) of a body.

    Args:
        body: the body.
        sizes: the size of each text and segment.
        texts: the number of texts, which come first.
        before: the parts that came before the body.

    Raises:
        Malformed: the sizes do not add up to the body's, or a text is not UTF-8.
    """
    if len(sizes) < texts or min(sizes, default=0) < 0 or sum(sizes) != len(body) + sum(map(len, before)):
        raise Malformed("the sizes in a head do not add up to its body's")
    found: list[bytes] = []
    if before:
        found += _cut(collections.deque(memoryview(part) for part in (*before, body)), sizes)
    elif len(sizes) == 1:
        found.append(body)
    else:
        start = 0
        for size in sizes:
            found.append(body[start : start + size])
            start += size
    try:
        return [part.decode("utf-8", "surrogatepass") for part in found[:texts]], found[texts:]
    except UnicodeDecodeError:
        raise Malformed("a text is not UTF-8") from None


def _cut(views: collections.deque[memoryview], sizes: Iterable[int]) -> Iterator[bytes]:
    """Cut the content of *views* into pieces of these sizes; each byte is copied only once, as the content may be large."""
    for size in sizes:
        pieces: list[memoryview] = []
        while size:
            view = views.popleft()
            if len(view) > size:
                views.appendleft(view[size:])
                view = view[:size]
            pieces.append(view)
            size -= len(view)  # noqa: PLW2901 - the bytes that are still missing
        yield b"".join(pieces)
