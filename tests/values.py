"""Values of every class that travels, and the question whether two of them are the same in every respect."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import math
import pathlib
import re
import sys
import types
import zoneinfo
from typing import Any, NamedTuple

import attrs
from hypothesis import strategies as st


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: Any
    y: Any = None


@dataclasses.dataclass(slots=True)
class Slotted:
    x: Any
    y: Any = None


@dataclasses.dataclass
class Open:
    x: Any
    y: Any = None


@attrs.frozen
class AttrsFrozen:
    x: Any
    y: Any = None


@attrs.define(slots=False)
class AttrsOpen:
    x: Any
    y: Any = None


class Private:
    """Two classes in a row whose private slots have the same name."""

    __slots__ = ("__hidden", "open")

    def __init__(self, x: Any, y: Any = None) -> None:
        self.__hidden = x
        self.open = y


class Mixed(Private):
    """Private slots of the class and of its base, and a `__dict__`."""

    __slots__ = ("__dict__", "__hidden")

    def __init__(self, x: Any, y: Any = None) -> None:
        super().__init__(y, x)
        self.__hidden = [x]
        self.attribute = y


class OwnState:
    def __init__(self, x: Any, y: Any = None) -> None:
        self.pair = (x, y)
        self.scratch = object()

    def __getstate__(self) -> Any:
        return [self.pair]

    def __setstate__(self, state: Any) -> None:
        (self.pair,) = state
        self.scratch = object()


class Place(NamedTuple):
    x: Any
    y: Any = None


class NotedPlace(Place):
    """A NamedTuple whose instances have a `__dict__`."""


class MyInt(int):
    pass


class MyStr(str):
    __slots__ = ()


class MyFloat(float):
    pass


class MyBytes(bytes):
    pass


class MyTuple(tuple):
    __slots__ = ()


class MyList(list):
    pass


class MyDict(dict):
    pass


class MySet(set):
    pass


class MyFrozenset(frozenset):
    pass


class MyOrdered(collections.OrderedDict):
    pass


class MyDefault(collections.defaultdict):
    pass


class MyDeque(collections.deque):
    pass


class Colour(enum.Enum):
    RED = "red"
    GREEN = ("green", 1)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


CLASSES = {
    cls.__name__: cls
    for cls in (
        Frozen, Slotted, Open, AttrsFrozen, AttrsOpen, Private, Mixed, OwnState, Place, NotedPlace, MyInt, MyStr,
        MyFloat,
        MyBytes, MyTuple, MyList, MyDict, MySet, MyFrozenset, MyOrdered, MyDefault, MyDeque, Colour, Level, Access,
        int, str, list, dict, len, collections.OrderedDict, collections.Counter,
    )
}  # fmt: skip


def externals(thing: object) -> Any:
    """Name the classes and functions above, as a program would."""
    name = getattr(thing, "__name__", "") if isinstance(thing, (type, types.BuiltinFunctionType)) else ""
    return {"n": ["values", name]} if CLASSES.get(name) is thing else None


def resolve(reference: Any) -> Any:
    """Find what `externals` named; knows nothing else."""
    return CLASSES[reference["n"][1]]


def noted(value: Any, note: Any) -> Any:
    """Give an instance of a subclass of a built-in class an attribute."""
    value.note = note
    return value


nan = st.just(math.nan)
integers = st.one_of(
    st.integers(), st.integers(-(10**40), 10**40), st.sampled_from([0, -1, 2**53 + 1, 2**63, -(2**14000)])
)
texts = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(categories=("Cs", "L", "So")), max_size=5),
    st.sampled_from(["", "\ud83d\ude00", "\U0001f600", "\udcff", '"\\', "\x00", "\\ud800", "[{"]),
)
datas = st.one_of(st.binary(max_size=50), st.text('abc[]{}"\\\x00', max_size=9).map(str.encode))  # fmt: skip
offsets = st.integers(-86399, 86399).map(lambda s: dt.timedelta(seconds=s))
zones = st.one_of(
    st.just(dt.UTC),
    offsets.map(dt.timezone),
    st.builds(dt.timezone, offsets, st.text(max_size=5)),
    st.sampled_from([zoneinfo.ZoneInfo("Europe/Paris"), zoneinfo.ZoneInfo("America/New_York")]),
)
maybe_zones = st.one_of(st.none(), zones)
folds = st.integers(0, 1)
moments = st.builds(lambda v, fold: v.replace(fold=fold), st.datetimes(timezones=maybe_zones), folds)
times = st.builds(lambda v, zone, fold: v.replace(tzinfo=zone, fold=fold), st.times(), maybe_zones, folds)
decimals = st.one_of(
    st.decimals(allow_nan=False),
    st.sampled_from(
        [decimal.Decimal(s) for s in ("NaN", "-NaN", "sNaN", "NaN123", "Infinity", "-0", "1E+999999", "0E-7")]
    ),
)
addresses = st.one_of(
    st.ip_addresses(),
    st.ip_addresses().map(ipaddress.ip_network),
    st.ip_addresses().map(ipaddress.ip_interface),
)
patterns = st.sampled_from(
    [re.compile(p, f) for p, f in (("a+", 0), ("(?i)x[a-z]", 0), ("^b$", re.M | re.S), ("é", re.A), (" a # b", re.X))]
    + [re.compile(b"[\x00-\xff]", re.I), re.compile(b"")]
)
arrays = st.one_of(
    st.lists(st.integers(-128, 127), max_size=5).map(lambda v: array.array("b", v)),
    st.lists(st.integers(0, 2**31), max_size=5).map(lambda v: array.array("L", v)),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5).map(lambda v: array.array("l", v)),
    st.lists(st.floats(), max_size=5).map(lambda v: array.array("d", v)),
)
paths = st.one_of(
    st.builds(
        lambda kind, text: kind(text),
        st.sampled_from([pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.Path, pathlib.PurePath]),
        st.sampled_from([".", "/", "a/b", "C:\\x", "..", "é/\udcff"]),
    )
)
members = st.sampled_from([*Colour, *Level, *Access, Access.READ | Access.RUN, Access(0)])
classes = st.sampled_from([int, str, len, Place, Frozen])

atoms = st.one_of(st.none(), st.booleans(), integers, st.floats(), texts)
hashable_leaves = st.one_of(
    atoms,
    datas,
    st.complex_numbers(),
    st.builds(range, st.integers(-5, 10**30), st.integers(), st.integers(1, 9)),
    st.sampled_from([..., NotImplemented]),
    decimals.filter(lambda d: not d.is_snan()),
    st.fractions(),
    st.uuids(),
    st.dates(),
    times,
    moments,
    st.timedeltas(),
    zones,
    addresses,
    patterns,
    paths,
    members,
    classes,
    integers.map(MyInt),
    texts.map(MyStr),
)
leaves = st.one_of(
    hashable_leaves,
    decimals,
    datas.map(bytearray),
    arrays,
    st.builds(slice, integers, integers, st.none()),
    st.builds(noted, st.builds(MyInt, st.integers()), atoms),
    st.builds(noted, st.builds(MyFloat, st.floats()), atoms),
    st.builds(noted, st.builds(MyBytes, st.binary(max_size=5)), atoms),
    st.lists(st.floats(), min_size=32, max_size=40),
)
hashables = st.recursive(
    hashable_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.frozensets(inner, max_size=3),
        st.builds(Frozen, inner, inner),
        st.builds(AttrsFrozen, inner, inner),
        st.builds(Place, inner, inner),
        st.lists(inner, max_size=3).map(MyTuple),
    ),
    max_leaves=6,
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, max_size=4)
    dicts = st.dictionaries(hashables, inner, max_size=3)
    named = st.dictionaries(texts, inner, max_size=3)
    return st.one_of(
        lists, lists.map(tuple), dicts, named, st.sets(hashables, max_size=4), st.frozensets(hashables, max_size=4),
        lists.map(collections.deque), st.builds(collections.deque, lists, st.integers(4, 9)),
        dicts.map(collections.OrderedDict),
        st.builds(collections.defaultdict, st.sampled_from([None, int, list]), dicts),
        st.dictionaries(hashables, st.integers(), max_size=3).map(collections.Counter),
        st.dictionaries(st.sampled_from("abc"), inner).map(lambda d: types.SimpleNamespace(**d)),
        *(st.builds(cls, inner, inner) for cls in
          (Slotted, Open, AttrsOpen, Private, Mixed, OwnState, Frozen, AttrsFrozen, Place)),
        st.builds(noted, st.builds(NotedPlace, inner, inner), inner), st.builds(noted, lists.map(MyList), inner),
        st.builds(noted, dicts.map(MyDict), inner), st.builds(noted, st.sets(hashables, max_size=3).map(MySet), inner),
        st.builds(noted, st.frozensets(hashables, max_size=3).map(MyFrozenset), inner),
        st.builds(noted, dicts.map(MyOrdered), inner), st.builds(MyDefault, st.just(int), dicts),
        st.builds(MyDeque, lists, st.just(9)), inner.map(lambda v: [v, v]), inner.map(lambda v: {"a": v, "b": [v]}),
    )  # fmt: skip


values = st.recursive(leaves, _containers, max_leaves=15)


def same(left: object, right: object) -> bool:
    """Tell whether two values have the same classes, contents, order and sharing all the way down, cycles included."""
    pairs: dict[int, int] = {}
    stack = [(left, right)]
    while stack:
        a, b = stack.pop()
        if type(a) is not type(b):
            return False
        if pairs.setdefault(id(a), id(b)) != id(b) and _is_shared(a):
            return False
        if _is_leaf(a):
            if not _same_leaf(a, b):
                return False
            continue
        if (id(a), id(b)) in pairs:  # type: ignore[comparison-overlap] # both kinds of key live in one dict
            continue
        pairs[(id(a), id(b))] = 1  # type: ignore[index] # see above
        parts_a, parts_b = _parts(a), _parts(b)
        if len(parts_a) != len(parts_b):
            return False
        stack += zip(parts_a, parts_b, strict=True)
    return True


def _is_shared(value: object) -> bool:
    return isinstance(value, (list, dict, set, bytearray, Open, Slotted, collections.deque, types.SimpleNamespace))


def _is_leaf(value: object) -> bool:
    return not isinstance(
        value, (list, tuple, dict, set, frozenset, collections.deque, types.SimpleNamespace, slice)
    ) and (type(value).__module__ != __name__ or isinstance(value, (enum.Enum, str, type)))


def _base(value: Any) -> Any:
    """Return the built-in part of an instance of a subclass of a number or of bytes."""
    return next((cls(value) for cls in (int, float, bytes) if isinstance(value, cls)), None)


def _same_leaf(a: Any, b: Any) -> bool:
    if isinstance(a, (float, complex)):
        return repr(a) == repr(b)
    if isinstance(a, (enum.Enum, type, types.BuiltinFunctionType)) or a is ...:
        return a is b
    if isinstance(a, (dt.datetime, dt.time)):
        return repr(a) == repr(b) and a.tzinfo == b.tzinfo
    if isinstance(a, decimal.Decimal):
        return str(a) == str(b)
    if isinstance(a, array.array):
        return a.typecode == b.typecode and a.tobytes() == b.tobytes()
    return bool(a == b)


def _key(value: object) -> str:
    return f"{type(value)}{ascii(value) if _is_leaf(value) else sorted(map(_key, _parts(value)))}"


def _parts(value: Any) -> list[Any]:
    if isinstance(value, slice):
        return [value.start, value.stop, value.step]
    parts: list[Any] = [_base(value)]
    if isinstance(value, (set, frozenset)):
        parts += sorted(value, key=_key)
    elif isinstance(value, dict):
        parts += [part for item in value.items() for part in item]
    elif isinstance(value, (list, tuple, collections.deque)):
        parts += value
    parts += [getattr(value, "maxlen", None), getattr(value, "default_factory", None)]
    fields = {n: v for n, v in getattr(value, "__dict__", {}).items() if n != "scratch"}
    for cls in type(value).__mro__ if type(value).__module__ == __name__ else ():
        if "__slots__" in cls.__dict__:
            fields |= {n: d.__get__(value) for n, d in cls.__dict__.items() if type(d) is types.MemberDescriptorType}
    return [*parts, *sorted(fields), *(fields[n] for n in sorted(fields))]


assert sys.version_info >= (3, 11)
