"""The general form of a message: any value, as a flat list of nodes."""

from __future__ import annotations

import binascii
import enum
import json
import sys
from array import array
from itertools import chain
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from capsend.codec.instances import BASES, class_attribute, fields_of, plan_of, state_of
from capsend.codec.limits import NotEncodable
from capsend.codec.segments import Writer
from capsend.codec.standard_types import standard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from capsend.codec.instances import Plan

# Any in this module is for JSON nodes, and for the values themselves.
ATOMS: Final = frozenset({type(None), bool, int, float, str})
_STR: Final = frozenset({str})
FLOAT: Final = frozenset({float})
MANY: Final = 32  # packing pays from this number of floats: writing one in decimal takes ten times as long
_NUMBERS: Final = frozenset({type(None), bool, float})
_INT: Final = frozenset({int})
MANY_INTS: Final = 512  # below this number, ints in decimal are read as fast
RAW: Final = 8
"""The form of bytes that are in a segment."""

_BY_REFERENCE: Final = (type, FunctionType, BuiltinFunctionType, ModuleType)
_PORTABLE_BITS: Final = 2000
_CHUNK: Final = 3 << 20
_HEXADECIMAL: Final = 8 << 20  # base 16 is three times as fast as base 64; above this its size matters more

_ORDERED: Final = frozenset({bytes, int, str})

_MAY_HAVE_ATTRIBUTES: Final = frozenset({"ordered", "counter"})


class OwnEncoder(json.JSONEncoder):
    """The library's encoder, fixed at the import of this module: programs may replace its methods, and `json.dumps`."""

    default: Any = json.JSONEncoder.default
    encode: Any = json.JSONEncoder.encode
    iterencode: Any = json.JSONEncoder.iterencode


dumps: Final[Callable[[Any], str]] = OwnEncoder(check_circular=False, separators=(",", ":")).encode


class _Frame:
    """One container in progress: its value, the parts encoded so far, and the parts left."""

    __slots__ = ("keys", "out", "ref", "source", "value")

    def __init__(self, value: Any, out: list[Any], source: Iterator[Any], *, ref: list[int], keys: Any = None) -> None:
        self.value = value
        self.out = out
        self.source = source
        self.ref = ref
        self.keys = keys


class _Refused(Exception):
    pass


class SharedRow(Exception):
    """A dict that is written as a row of a table occurs elsewhere too, where it has to be the same dict."""


class InColumns(NamedTuple):
    """What is written as packed columns.

    Attributes:
        parts: {identity of a list: (tag, content)}: the key, column, key, column and so on of a table, or packed numbers.
        rows: the identities of the tables' rows that may also occur elsewhere.
    """

    parts: dict[int, tuple[str, Any]]
    rows: set[int]


class Instead:
    """An answer of `externals`: a value to write in place of the original."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value: Any = value


def has_surrogate(text: str) -> bool:
    """Return whether *text* has a surrogate: JSON would merge it with its neighbour, or it is no character."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


class Encoder:
    """Encodes one value in the general form.

    Args:
        externals: returns the reference of an object that is not encoded by value, or None.
        careful: check every str and int, since JSON cannot hold some part of this value exactly.
        shared: returns the reference of a part of any class that the receiver has, or None.
        stand_in: returns a value to write in place of an instance, or None.
        segments: the list for bytes that travel next to the text; None to write all bytes in the text.
        prepared: the lists that are written as packed columns.
    """

    def __init__(
        self,
        externals: Callable[[Any], Any],
        *,
        careful: bool,
        shared: Callable[[Any], Any] | None = None,
        stand_in: Callable[[Any], Any] | None = None,
        segments: list[bytes] | None = None,
        prepared: InColumns | None = None,
    ) -> None:
        self._externals = externals
        self._careful = careful
        self._shared = shared
        self._stand_in = stand_in
        # Containers of plain JSON values are written at once, unless each part has to be checked.
        self._inline = frozenset() if shared is not None else _NUMBERS if careful else ATOMS
        self._refs: dict[int, list[int]] = {}  # by identity; an empty list is an unfinished node
        self._nodes: list[Any] = []
        self._blobs: list[str] = []
        self._columns, self._rows = prepared or InColumns({}, set())
        self._beside = None if segments is None else Writer(segments)
        self._alive: list[Any] = []  # temporary parts, kept alive so that no identity is reused
        self._stack: list[_Frame] = []

    def encode(self, root: Any) -> tuple[list[Any], list[str]]:
        """Encode a value.

        Returns:
            (the nodes of the message, the blobs that follow them).

        Raises:
            NotEncodable: a part has no encoding.
            SharedRow: a row of a table that was prepared occurs elsewhere too.
        """
        try:
            self._run(root)
        except _Refused as refused:
            value, reason = refused.args
            steps = tuple(_step(frame) for frame in self._stack[1:])
            raise NotEncodable(value, reason, steps=steps) from refused.__cause__
        except NotEncodable as refused:  # raised by `externals`, which does not know the path
            steps = tuple(_step(frame) for frame in self._stack[1:])
            raise NotEncodable(refused.value, refused.reason, steps=steps) from None
        if self._beside is not None:
            self._beside.close()
        return self._nodes, self._blobs

    def _run(self, root: Any) -> None:
        refs, careful, shared = self._refs, self._careful, self._shared
        frame = _Frame(None, [], iter((root,)), ref=[])
        self._stack.append(frame)
        out, source = frame.out, frame.source
        while True:
            for child in source:
                kind = type(child)
                if shared is not None and id(child) not in refs and (known := shared(child)) is not None:
                    self._emit(refs.setdefault(id(child), []), ["x", known])
                if shared is not None and id(child) in refs:
                    out.append(refs[id(child)])
                    continue
                if kind in ATOMS and not (careful and self._is_odd(child)):
                    out.append(child)
                    continue
                ref = refs.get(id(child))
                if ref is not None:
                    out.append(ref)
                    continue
                ref = refs[id(child)] = []
                out.append(ref)
                opened = self._open(child, kind, ref)
                if opened is not None:
                    self._stack.append(opened)
                    out, source = opened.out, opened.source
                    break
            else:
                frame = self._stack.pop()
                if not self._stack:
                    return
                self._emit(frame.ref, _finished(frame))
                out, source = self._stack[-1].out, self._stack[-1].source

    def _is_odd(self, atom: Any) -> bool:
        kind = type(atom)
        return (kind is str and has_surrogate(atom)) or (kind is int and atom.bit_length() > _PORTABLE_BITS)

    def _emit(self, ref: list[int], node: Any) -> None:
        ref.append(len(self._nodes))
        self._nodes.append(node)

    def _open(self, value: Any, kind: Any, ref: list[int]) -> _Frame | None:
        opener = self._openers.get(kind)
        if opener is not None:
            frame: _Frame | None = opener(self, value, ref)
            return frame
        entry = standard(kind)
        if entry is None or (kind.__dictoffset__ and entry.tag in _MAY_HAVE_ATTRIBUTES and vars(value)):
            return self._open_other(value, kind, ref)
        try:
            parts = entry.read(value)
        except Exception as error:
            raise _Refused(value, f"its {kind.__qualname__} cannot be read: {error}") from error
        self._alive.append(parts)
        return _Frame(value, [entry.tag], iter(parts), ref=ref)

    def _open_other(self, value: Any, kind: Any, ref: list[int]) -> _Frame | None:
        if self._stand_in is not None and (other := self._stand_in(value)) is not None:
            self._alive.append(other)
            return self._open(other, type(other), ref)
        if issubclass(kind, enum.Enum):
            flag = issubclass(kind, enum.Flag)
            return _Frame(value, ["E" if flag else "e"], iter((kind, value._value_ if flag else value._name_)), ref=ref)
        reference = self._externals(value)
        if type(reference) is Instead:
            self._alive.append(reference)
            return self._open(reference.value, type(reference.value), ref)
        if reference is not None:
            self._emit(ref, ["x", reference])
            return None
        if issubclass(kind, _BY_REFERENCE):
            raise _Refused(value, f"{value.__name__} has no name that the receiver knows")
        plan = plan_of(kind)
        if plan.refusal:
            raise _Refused(value, plan.refusal)
        return self._open_instance(value, plan, ref)

    def _open_instance(self, value: Any, plan: Plan, ref: list[int]) -> _Frame | None:
        kind = type(value)
        parts: list[Any] = [kind]
        if plan.base is not object:
            parts.append(BASES[plan.base].read(value))
        if plan.own_get or plan.own_set:
            try:
                parts.append(state_of(value, plan))
            except Exception as error:
                raise _Refused(value, f"its __getstate__ failed: {error!r}") from error
            self._alive.append(parts)
            return _Frame(value, ["o" if plan.base is object else "K"], iter(parts), ref=ref)
        fields = fields_of(value, plan)
        if plan.base is tuple and not fields:
            self._alive.append(parts)
            return _Frame(value, ["T"], chain((kind,), parts[1]), ref=ref)
        if not set(map(type, fields)) <= _STR or (self._careful and any(map(has_surrogate, fields))):
            raise _Refused(value, "it has a field whose name is no proper str")
        reference = self._refs.get(id(kind))
        if plan.base is object and reference and set(map(type, fields.values())) <= self._inline:
            self._emit(ref, ["i", reference, fields])
            return None
        self._alive.append(parts)
        tag = "i" if plan.base is object else "k"
        return _Frame(value, [tag], chain(parts, fields.values()), ref=ref, keys=tuple(fields))

    def _open_list(self, value: list[Any], ref: list[int]) -> _Frame | None:
        if self._columns and (known := self._columns.get(id(value))) is not None:
            tag, content = known
            if tag == "D":
                return _Frame(value, [tag], iter(content), ref=ref)
            self._emit(ref, [tag, *self._blob(content)])
            return None
        kinds = set(map(type, value))
        if kinds <= self._inline:
            self._emit(ref, self._packed("L", "q", value, kinds) or ["l", *value])
            return None
        return _Frame(value, ["l"], iter(value), ref=ref)

    def _open_tuple(self, value: tuple[Any, ...], ref: list[int]) -> _Frame | None:
        kinds = set(map(type, value))
        if kinds <= self._inline:
            self._emit(ref, self._packed("U", "Q", value, kinds) or ["t", *value])
            return None
        return _Frame(value, ["t"], iter(value), ref=ref)

    def _open_dict(self, value: dict[Any, Any], ref: list[int]) -> _Frame | None:
        if self._rows and id(value) in self._rows:
            raise SharedRow
        if not set(map(type, value)) <= _STR or (self._careful and any(map(has_surrogate, value))):
            return _Frame(value, ["m"], chain.from_iterable(value.items()), ref=ref)
        if set(map(type, value.values())) <= self._inline:
            self._emit(ref, ["d", value])
            return None
        return _Frame(value, ["d"], iter(value.values()), ref=ref, keys=tuple(value))

    def _open_set(self, value: set[Any], ref: list[int]) -> _Frame | None:
        return _Frame(value, ["s"], iter(_ordered(value)), ref=ref)

    def _open_frozenset(self, value: frozenset[Any], ref: list[int]) -> _Frame | None:
        return _Frame(value, ["f"], iter(_ordered(value)), ref=ref)

    def _open_bytes(self, value: bytes, ref: list[int]) -> None:
        self._emit(ref, ["b", *self._blob(value)])

    def _open_bytearray(self, value: bytearray, ref: list[int]) -> None:
        self._emit(ref, ["B", *self._blob(value)])

    def _open_str(self, value: str, ref: list[int]) -> None:
        self._emit(ref, ["u", *self._blob(value.encode("utf-8", "surrogatepass"))])

    def _open_int(self, value: int, ref: list[int]) -> None:
        self._emit(ref, ["n", f"{value:x}"])

    _openers: ClassVar[dict[type, Callable[[Encoder, Any, list[int]], _Frame | None]]] = {
        list: _open_list,
        tuple: _open_tuple,
        dict: _open_dict,
        set: _open_set,
        frozenset: _open_frozenset,
        bytes: _open_bytes,
        bytearray: _open_bytearray,
        str: _open_str,
        int: _open_int,
    }

    def _packed(self, floats: str, ints: str, value: list[Any] | tuple[Any, ...], kinds: set[type]) -> list[Any] | None:
        """Return the node for many numbers, and None for other values.

        Ints are packed only if there are segments.
        """
        least = MANY if kinds == FLOAT else MANY_INTS if self._beside is not None else sys.maxsize
        found = pack(value, kinds) if len(value) >= least else None
        return None if found is None else [floats if found[0] == "L" else ints, *self._blob(found[1])]

    def _blob(self, data: bytes | bytearray) -> tuple[int, int]:
        if self._beside is not None and self._beside.wants(len(data)):
            self._beside.put(bytes(data))
            return len(data), RAW
        text, form = blob(data)
        self._blobs.append(text)
        return len(text), form


def pack(value: list[Any] | tuple[Any, ...], kinds: set[type]) -> tuple[str, bytes] | None:
    """Return (tag, bytes) for a list of floats, or of ints of at most 64 bits; None for other lists.

    Args:
        value: the list, or a tuple.
        kinds: the classes of its elements.
    """
    is_floats = kinds == FLOAT
    if not is_floats and kinds != _INT:
        return None
    try:
        packed = array("d" if is_floats else "q", value)
    except OverflowError:
        return None
    if sys.byteorder == "big":
        packed.byteswap()
    return "L" if is_floats else "q", packed.tobytes()


def blob(data: bytes | bytearray) -> tuple[str, int]:
    """Encode bytes as ASCII text.

    Returns:
        (text, form): 7-bit text, base 16 or base 64.
    """
    if data.isascii():
        return data.decode("ascii"), 7
    if len(data) <= _HEXADECIMAL:
        return data.hex(), 16
    # In pieces, so that 100 MB do not need another 133 MB for their base64 bytes next to the text.
    pieces = (data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK))
    return "".join(binascii.b2a_base64(piece, newline=False).decode("ascii") for piece in pieces), 64


def _ordered(value: set[Any] | frozenset[Any]) -> Any:
    """Return the elements of a set, if they can be sorted, in an order independent of the hash seed."""
    kinds = set(map(type, value))
    if len(kinds) == 1 and kinds <= _ORDERED:
        return sorted(value)
    if kinds <= ATOMS:
        return sorted(value, key=lambda item: (type(item).__name__, repr(item)))
    if all(issubclass(kind, _BY_REFERENCE) for kind in kinds):
        return sorted(value, key=lambda item: (str(item.__module__), str(getattr(item, "__qualname__", item.__name__))))
    return value


def _finished(frame: _Frame) -> list[Any]:
    out, keys = frame.out, frame.keys
    if keys is None:
        return out
    head = len(out) - len(keys)
    return [*out[:head], dict(zip(keys, out[head:], strict=True))]


def _step(frame: _Frame) -> str:
    """Return the step of a path from a container to the part being encoded."""
    tag, position = frame.out[0], len(frame.out) - 2
    if frame.keys is not None:
        position -= {"d": 0, "i": 1, "k": 2}[tag]
        if position < 0:
            return ".__class__" if position == -1 - (tag == "k") else ""
        key = frame.keys[position]
        return f"[{key!r}]" if tag == "d" else f".{key}"
    if tag in ("l", "t"):
        return f"[{position}]"
    if tag == "m":
        return _key_step(frame.value, position)
    if tag in ("s", "f"):
        return f"{{item {position}}}"
    if tag == "T":
        names = class_attribute(type(frame.value), "_fields", ())
        return f".{names[position - 1]}" if 0 < position <= len(names) else f"[{position - 1}]"
    kind: Any = type(frame.value)
    entry = standard(kind)
    if entry is None or tag != entry.tag:
        return (".__class__", "", "")[position] if position < 3 else ""
    part = entry.parts[min(position, len(entry.parts) - 1)]
    if entry.tag == "deque":
        return f"[{position - 1}]"
    return "" if part.name == "content" else f".{part.name}"


def _key_step(value: dict[Any, Any], position: int) -> str:
    key = next(k for i, k in enumerate(value) if i == position // 2)
    if position % 2 == 0:
        return f"{{key {position // 2}}}"
    text = repr(key) if type(key) in ATOMS or type(key) is tuple else f"<{type(key).__qualname__}>"
    return f"[{text}]" if len(text) < 80 else f"[{text[:76]}...]"
