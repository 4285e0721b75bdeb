"""The decoder of the general form of a message, whatever the message contains."""

from __future__ import annotations

import binascii
import collections
import enum
import sys
from array import array
from typing import TYPE_CHECKING, Any, ClassVar, Final

from capsend.codec.depth import check_cycles, too_deep
from capsend.codec.encoder import ATOMS, RAW
from capsend.codec.instances import BASES, class_attribute, plan_of, set_fields, set_state
from capsend.codec.keys import Keys
from capsend.codec.limits import Malformed
from capsend.codec.segments import Reader, size_of
from capsend.codec.standard_types import BY_TAG
from capsend.codec.tables import MEMORY_PER_CHARACTER, cost_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.codec.instances import Plan
    from capsend.codec.limits import Budget

# Any in this module is for unchecked JSON nodes, and for the values themselves.
_ATOMS_AND_REFS: Final = ATOMS | {list}
_MISSING: Final = object()
# the number of members of a `Flag` class, combinations included, up to which untrusted code may add combinations
_MOST_FLAGS: Final = 1_024
_LOOKS: Final = 0xFF  # the decoder checks once per this number of nodes whether the value is still wanted
_COPIED: Final = frozenset(
    {list, tuple, dict, set, frozenset, collections.deque, collections.OrderedDict, collections.defaultdict}
)
_SHELLS: Final[dict[str, Callable[[], Any]]] = {"l": list, "d": dict, "m": dict, "s": set}


class _Later(Exception):
    """A node needs another node, `index`, that is not finished yet."""

    def __init__(self, index: int) -> None:
        self.index = index


class Decoder:
    """Decodes one message in the general form.

    A node's parts come before the node, except in a cycle: there the empty shell of a mutable part is made early, and a
    node that needs an unfinished immutable part waits for it.
    """

    def __init__(
        self,
        nodes: list[Any],
        text: str,
        *,
        start: int,
        resolve: Callable[[Any], Any],
        may_build: Callable[[type], bool],
        budget: Budget,
        segments: Sequence[bytes] = (),
    ) -> None:
        self._nodes = nodes
        self._text = text
        self._resolve = resolve
        self._may_build = may_build
        self._budget = budget
        self._values: list[Any] = [_MISSING] * len(nodes)
        # A list by index, not a dict or set of indices: a hostile sender chooses the indices.
        self._waiting: list[list[int] | None] = []
        self._waits = 0
        self._unfilled = bytearray(len(nodes))
        self._copied = bytearray(len(nodes))
        self._of_atoms = bytearray(len(nodes))  # 1 for a list of which that is known
        self._depths = [0] * len(nodes)
        self._deepest = 0
        self._most_depth = sys.maxsize if budget.limits is None else budget.limits.max_depth
        self._has_cycles = False
        self._keys = Keys(nodes, self._values, budget)
        self._buildable: dict[type, Plan] = {}
        self._offset = start
        self._segments = Reader(segments)
        self._has_segments = bool(segments)
        self._room = MEMORY_PER_CHARACTER * (len(text) + size_of(segments))

    def decode(self) -> Any:
        """Return the value, which is the last node."""
        for index in range(len(self._nodes)):
            if not index & _LOOKS:
                self._budget.look()
            try:
                self._step(index)
            except _Later as later:
                self._wait(index, later)
            else:
                if self._waits:
                    self._wake(index)
        if self._waits:
            raise Malformed("a cycle that no value can have")
        if self._offset != len(self._text) or not self._segments.is_empty:
            raise Malformed("text or bytes after the message")
        return self._values[-1]

    def _step(self, index: int) -> None:
        node = self._nodes[index]
        if type(node) is not list or not node or type(node[0]) is not str:
            raise Malformed("a node without a tag")
        handler = self._handlers.get(node[0])
        self._deepest = 0
        if handler is not None:
            handler(self, index, node)
        elif node[0] in BY_TAG:
            self._standard(index, node)
            self._deepest += 1
            if self._deepest > self._most_depth:
                raise too_deep(self._most_depth)
        else:
            raise Malformed(f"an unknown tag {node[0][:20]!r}")
        self._depths[index] = self._deepest

    def _wait(self, index: int, later: _Later) -> None:
        node = self._nodes[index]
        # A node that is resumed is read again from its beginning.
        self._budget.spend(len(node) + sum(len(part) for part in node if type(part) is dict))
        self._budget.look()
        self._unfilled[index] = True
        if not self._waiting:
            self._waiting = [None] * len(self._nodes)
        waiting = self._waiting[later.index]
        if waiting is None:
            waiting = self._waiting[later.index] = []
        waiting.append(index)
        self._waits += 1

    def _wake(self, index: int) -> None:
        ready = self._woken(index)
        while ready:
            index = ready.pop()
            try:
                self._step(index)
            except _Later as later:
                self._wait(index, later)
            else:
                self._unfilled[index] = False
                ready += self._woken(index)

    def _woken(self, index: int) -> list[int]:
        woken, self._waiting[index] = self._waiting[index] or [], None
        self._waits -= len(woken)
        return woken

    # References

    def _parts(self, items: list[Any]) -> list[Any]:
        kinds = set(map(type, items))
        if kinds <= ATOMS:
            return items
        if not kinds <= _ATOMS_AND_REFS:
            raise Malformed("a part that is neither an atom nor a reference")
        values, nodes, depths = self._values, self._nodes, self._depths
        parts = []
        missing = -1
        deepest = self._deepest
        for item in items:
            if type(item) is list:
                if len(item) != 1 or type(item[0]) is not int or not 0 <= item[0] < len(nodes):
                    raise Malformed("not a reference to a node")
                value = values[item[0]]
                if value is _MISSING:
                    value = self._early(item[0])
                    if value is _MISSING:
                        missing = max(missing, item[0])
                elif depths[item[0]] > deepest:
                    deepest = depths[item[0]]
                parts.append(value)
            else:
                parts.append(item)
        self._deepest = deepest
        if missing >= 0:
            raise _Later(missing)
        return parts

    def _fields(self, fields: Any) -> dict[str, Any]:
        if type(fields) is not dict:
            raise Malformed("the fields of a node are no object")
        if set(map(type, fields.values())) <= ATOMS:
            return fields
        return dict(zip(fields, self._parts(list(fields.values())), strict=True))

    def _charge_copies(self, items: list[Any]) -> None:
        """Charge for parts that are copied again: the length of the message pays for one copy of each."""
        for item in items:
            if type(item) is list and self._is_reference(item):
                if self._copied[item[0]]:
                    self._budget.spend(_cost_of_copy(self._values[item[0]]))
                self._copied[item[0]] = True

    def _filled(self, item: Any) -> None:
        """Wait for a part whose content, not just its identity, is needed."""
        if type(item) is list and self._is_reference(item) and self._unfilled[item[0]]:
            raise _Later(item[0])

    def _early(self, index: int) -> Any:
        """Make the empty shell of a mutable value to which its own parts refer."""
        if not self._has_cycles:
            check_cycles(self._nodes, self._budget)
            self._has_cycles = True
        node = self._nodes[index]
        if type(node) is not list or not node or type(node[0]) is not str:
            raise Malformed("a node without a tag")
        tag, value = node[0], _MISSING
        if tag in _SHELLS:
            value = _SHELLS[tag]()
        elif tag in ("i", "o", "k", "K"):
            value = self._instance_shell(node)
        elif tag in BY_TAG:
            make = BY_TAG[tag].make
            value = make() if make is not None else _MISSING
        if value is not _MISSING:
            self._values[index] = value
            self._unfilled[index] = True
        return value

    def _shell(self, index: int, make: Callable[[], Any]) -> Any:
        value = self._values[index]
        if value is _MISSING:
            value = self._values[index] = make()
        self._unfilled[index] = False
        return value

    # Containers

    def _list(self, index: int, node: list[Any]) -> None:
        value, items = self._shell(index, list), node[1:]
        parts = self._parts(items)
        self._of_atoms[index] = parts is items
        value += parts

    def _table(self, index: int, node: list[Any]) -> None:
        """Read ["D", key, column, key, column, ...], a list of dicts."""
        if not self._has_segments:
            raise Malformed("a table in a message without segments")
        parts = self._parts(node[1:])
        for item in node[2::2]:
            self._filled(item)
        keys, columns = parts[::2], parts[1::2]
        if not keys or len(keys) != len(columns) or set(map(type, keys)) != {str} or len(set(keys)) < len(keys):
            raise Malformed("a table without proper keys")
        if set(map(type, columns)) != {list} or len(set(map(len, columns))) != 1:
            raise Malformed("columns of several lengths")
        rows = len(columns[0])
        self._budget.count(rows * len(keys))
        self._room -= cost_of(rows, len(keys))
        if self._room < 0 and self._budget.limits is not None:
            raise Malformed("tables that are too large for their message")
        for item, column in zip(node[2::2], columns, strict=True):
            if not self._of_atoms[item[0]] and not ATOMS.issuperset(map(type, column)):
                raise Malformed("a table of something other than atoms")
        self._values[index] = rows_of(keys, columns)

    def _dict(self, index: int, node: list[Any]) -> None:
        _expect(node, 2)
        self._shell(index, dict).update(self._fields(node[1]))

    def _mapping(self, index: int, node: list[Any]) -> None:
        value = self._shell(index, dict)
        if len(node) % 2 == 0:
            raise Malformed("a key without a value")
        parts = self._parts(node[1:])
        self._keys.check(parts[::2], node[1::2], of_set=False)
        value.update(zip(parts[::2], parts[1::2], strict=True))

    def _set(self, index: int, node: list[Any]) -> None:
        value = self._shell(index, set)
        parts = self._parts(node[1:])
        self._keys.check(parts, node[1:], of_set=True)
        value.update(parts)

    def _frozenset(self, index: int, node: list[Any]) -> None:
        parts = self._parts(node[1:])
        self._keys.check(parts, node[1:], of_set=True)
        self._values[index] = frozenset(parts)

    def _tuple(self, index: int, node: list[Any]) -> None:
        self._values[index] = tuple(self._parts(node[1:]))

    def _standard(self, index: int, node: list[Any]) -> None:
        entry = BY_TAG[node[0]]
        items = node[1:]
        if entry.make is None:
            parts = self._parts(items)
            entry.check(parts)
            if entry.copies:
                self._charge_copies(items)
            self._values[index] = entry.build(self._budget, *parts)
            return
        value = self._shell(index, entry.make)
        self._unfilled[index] = True
        for part, item in zip(entry.parts, items, strict=False):
            if part.name == "content":
                self._filled(item)
        parts = self._parts(items)
        entry.check(parts)
        if entry.copies:
            self._charge_copies(items)
        entry.build(value, *parts)
        self._unfilled[index] = False

    # Text and numbers

    def _blob(self, node: list[Any]) -> bytes:
        _expect(node, 3)
        size, form = node[1:]
        if type(size) is int and form == RAW:
            return self._segments.read(size)
        if type(size) is not int or not 0 <= size <= len(self._text) - self._offset:
            raise Malformed("bytes beyond the end of the message")
        start, self._offset = self._offset, self._offset + size
        return unblob(self._text[start : self._offset], form)

    def _numbers(self, index: int, node: list[Any]) -> None:
        packed = array("d" if node[0] in "LU" else "q", self._blob(node))
        self._budget.count(len(packed))
        if sys.byteorder == "big":
            packed.byteswap()
        self._values[index] = packed.tolist() if node[0] in "Lq" else tuple(packed)
        self._of_atoms[index] = True

    def _bytes(self, index: int, node: list[Any]) -> None:
        self._values[index] = self._blob(node)

    def _bytearray(self, index: int, node: list[Any]) -> None:
        self._values[index] = bytearray(self._blob(node))

    def _odd_str(self, index: int, node: list[Any]) -> None:
        self._values[index] = self._blob(node).decode("utf-8", "surrogatepass")

    def _huge_int(self, index: int, node: list[Any]) -> None:
        _expect(node, 2)
        digits = node[1].removeprefix("-") if type(node[1]) is str else ""
        if not digits.isalnum() or not digits.isascii():
            raise Malformed("not a hexadecimal number")
        self._values[index] = int(node[1], 16)

    # Classes and their instances

    def _external(self, index: int, node: list[Any]) -> None:
        _expect(node, 2)
        self._values[index] = self._resolve(node[1])

    def _class(self, item: Any) -> type:
        cls = self._parts([item])[0]
        if type not in type(cls).__mro__:
            raise Malformed("an instance of something that is no class")
        return cls  # type: ignore[no-any-return] # checked on the line above

    def _plan(self, cls: type) -> Plan:
        plan = self._buildable.get(cls)
        if plan is None:
            plan = plan_of(cls)
            if plan.refusal or enum.Enum in cls.__mro__ or not self._may_build(cls):
                raise Malformed(f"no instance of {cls.__qualname__} may come from outside")
            self._buildable[cls] = plan
        return plan

    def _instance_shell(self, node: list[Any]) -> Any:
        if len(node) < 2:
            raise Malformed("an instance without a class")
        if self._is_missing(node[1]):
            return _MISSING
        cls = self._class(node[1])
        plan = self._plan(cls)
        if node[0] in "io":
            if plan.base is not object:
                raise Malformed(f"{cls.__qualname__} derives from {plan.base.__qualname__}")
            return object.__new__(cls)
        if plan.base is object or len(node) != 4:
            raise Malformed(f"{cls.__qualname__} has no built-in part")
        base: Any = plan.base
        if BASES[base].mutable:
            return base.__new__(cls)
        if self._is_missing(node[2]):
            return _MISSING
        return _checked_fields(cls, BASES[base].build(cls, self._base_part(plan, node)))

    def _is_missing(self, item: Any) -> bool:
        """Return whether a part of a shell is unfinished: a shell is not made just for another shell."""
        return type(item) is list and self._is_reference(item) and self._values[item[0]] is _MISSING

    def _is_reference(self, item: list[Any]) -> bool:
        return len(item) == 1 and type(item[0]) is int and 0 <= item[0] < len(self._nodes)

    def _base_part(self, plan: Plan, node: list[Any]) -> Any:
        self._filled(node[2])
        part = self._parts([node[2]])[0]
        self._charge_copies([node[2]])
        if type(part) is not (BASES[plan.base].part or plan.base):
            raise Malformed(f"the built-in part of an instance is a {type(part).__qualname__}")
        return part

    def _instance(self, index: int, node: list[Any]) -> None:
        """Read ["i", class, fields] or ["o", class, state]; with a built-in part after the class ["k", ...] or ["K", ...]."""
        value = self._values[index]
        if value is _MISSING:
            value = self._instance_shell(node)
            if value is _MISSING:
                self._parts(node[1:3])
                raise Malformed("an instance whose class comes after it")
            self._values[index] = value
        self._unfilled[index] = True
        plan = self._plan(type(value))
        tag = node[0]
        _expect(node, 3 if tag in "io" else 4)
        mutable = BASES[plan.base].mutable
        part = self._base_part(plan, node) if mutable else None
        if tag in "ik":
            set_fields(value, plan, self._fields(node[-1]))
        else:
            self._filled(node[-1])
            self._charge_copies([node[-1]])
            set_state(value, plan, self._parts([node[-1]])[0])
        if mutable:
            BASES[plan.base].build(value, part)
        self._unfilled[index] = False

    def _tuple_instance(self, index: int, node: list[Any]) -> None:
        _expect_class(node)
        cls = self._class(node[1])
        if self._plan(cls).base is not tuple:
            raise Malformed(f"{cls.__qualname__} is no tuple")
        self._values[index] = _checked_fields(cls, tuple.__new__(cls, self._parts(node[2:])))

    def _member(self, index: int, node: list[Any]) -> None:
        """Read ["e", class, name] of an Enum or ["E", class, value] of a Flag."""
        _expect(node, 3)
        cls: Any = self._class(node[1])
        if enum.Enum not in cls.__mro__:
            raise Malformed(f"{cls.__qualname__} is no Enum")
        part = self._parts([node[2]])[0]
        if node[0] == "e":
            if type(part) is not str or part not in cls._member_map_:
                raise Malformed(f"{cls.__qualname__} has no such member")
            self._values[index] = cls._member_map_[part]
            return
        if enum.Flag not in cls.__mro__ or type(part) is not int:
            raise Malformed(f"{cls.__qualname__} has no such flags")
        self._values[index] = self._flags(cls, part)

    def _flags(self, cls: Any, number: int) -> Any:
        """Return a combination of flags. Its class keeps new combinations for ever: untrusted code may add at most `_MOST_FLAGS`."""
        known = cls._value2member_map_
        if number in known:
            return known[number]
        self._budget.spend(2000)
        outside = number & ~cls._flag_mask_ and number >= 0
        if outside and cls._boundary_ is not enum.KEEP:
            raise Malformed(f"{cls.__qualname__} has no such flags")
        before = len(known)
        if self._budget.limits is None or (before < _MOST_FLAGS and not outside):
            return cls(number)
        if int not in cls.__mro__:
            # It equals only itself, so the combination must be the one that the class keeps.
            raise Malformed(f"{cls.__qualname__}: more combinations of flags than a class keeps for untrusted code")
        made = cls(number)
        if len(known) > before:
            known.pop(made._value_, None)
        return made

    _handlers: ClassVar[dict[str, Callable[[Decoder, int, list[Any]], None]]] = {
        "l": _list,
        "t": _tuple,
        "d": _dict,
        "m": _mapping,
        "s": _set,
        "f": _frozenset,
        "b": _bytes,
        "B": _bytearray,
        "L": _numbers,
        "U": _numbers,
        "D": _table,
        "q": _numbers,
        "Q": _numbers,
        "u": _odd_str,
        "n": _huge_int,
        "x": _external,
        "i": _instance,
        "o": _instance,
        "k": _instance,
        "K": _instance,
        "T": _tuple_instance,
        "e": _member,
        "E": _member,
    }


def unblob(text: str, form: Any) -> bytes:
    """Return the bytes of a blob; its form is 7-bit text, base 16 or base 64."""
    if form == 7:
        return text.encode("ascii")
    if form == 16:
        return binascii.unhexlify(text)
    if form != 64:
        raise Malformed("bytes in an unknown form")
    return binascii.a2b_base64(text, strict_mode=True)


def _cost_of_copy(value: Any) -> int:
    """Return the steps to charge for one more copy of a value."""
    if type(value) is int:
        return value.bit_length() >> 3
    if type(value) in {str, bytes, bytearray}:
        return 8 * len(value)
    return 32 * len(value) if type(value) in _COPIED else 0


def _expect(node: list[Any], length: int) -> None:
    if len(node) != length:
        raise Malformed(f"a node {node[0]} of {len(node)} elements")


def _expect_class(node: list[Any]) -> None:
    if len(node) < 2:
        raise Malformed("an instance without a class")


def _checked_fields(cls: type, value: Any) -> Any:
    """Refuse a NamedTuple whose number of items differs from its number of fields."""
    names = class_attribute(cls, "_fields") if isinstance(value, tuple) else None
    if type(names) is tuple and len(names) != len(value):
        raise Malformed(f"{cls.__qualname__} has {len(names)} fields, not {len(value)}")
    return value
