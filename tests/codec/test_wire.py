"""Round trips of every class, with sharing and cycles; and nothing else is decoded from a process's text."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import http
import itertools
import logging
import math
import operator
import pickle
import re
import struct
import sys
import threading
import time
import types
import zoneinfo
from pathlib import Path
from typing import Any

import pytest
import values
from hypothesis import HealthCheck, given, settings
from values import Colour, Frozen, MyDict, MyList, Open, OwnState, Place, Private, Slotted, same

from capsend import codec
from capsend.codec import wire
from capsend.codec.text import TAGS
from capsend.exceptions import OutputLimitExceeded, ProcessFailed, SerializationError

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::hypothesis.errors.HypothesisWarning")
LIMITS = wire.LIMITS


def there(value: object, **options: Any) -> str:
    return codec.encode(value, externals=values.externals, **options)


def back(text: str, limits: codec.Limits | None = LIMITS) -> Any:
    return codec.decode(text, resolve=values.resolve, limits=limits)


def both_ways(value: object) -> Any:
    """Bring a value to a process's decoder and from there back to the host's."""
    inside = back(there(value, pickled=True), None)
    return back(there(inside))


# Laws


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(values.values)
def test_what_goes_in_comes_out(value: object) -> None:
    """decode(encode(x)) is x: classes, order, sharing; on the host's side and on the process's."""
    assert same(value, back(there(value)))
    assert same(value, back(there(value, pickled=True), None))


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(values.values)
def test_a_message_is_ascii(value: object) -> None:
    """Every message is ASCII text, since only that crosses the boundary fast."""
    assert there(value).isascii()
    assert there(value, pickled=True).isascii()


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(values.values)
def test_encoding_leaves_the_value_alone(value: object) -> None:
    """The value is as it was before it was encoded."""
    before = back(there(value))
    there(value)
    assert same(before, value)


# Exactness


@pytest.mark.parametrize(
    "value",
    [
        10**5000, -(16**4000) - 1, "\ud83d\ude00", "\ud83d", ["\ud83d\ude00", 10**4301], {"\udc00": 1}, {"a": "\udfff"},
        float("nan"), -0.0, math.inf, {1: "int", True.real + 1: "two"}, {1: 1, "1": 2, None: 3, 1.5: 4, True + 1: 5},
        [[[]]], (), ((), {}), ((1,), {"a": 2}), ((1,), {"a": (2,)}), {"a": {"b": {"c": ()}}}, b"", b"\xff", bytearray(b"ab"),
        [0.1] * 40, (0.1,) * 40, [math.nan] * 40, ([0.1] * 40, "\ud800"), "x" * 100_000, "é" * 1000, frozenset(), set(),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_atoms_and_plain_containers_are_exact(value: object) -> None:
    """Huge ints, lone and paired surrogates, signed zeros and the classes of keys survive."""
    assert same(value, both_ways(value))


@pytest.mark.parametrize("digits", [640, 4300, 0])
def test_the_limit_of_int_digits_does_not_matter(digits: int) -> None:
    """Ints travel whatever `sys.set_int_max_str_digits` says on either side."""
    before = sys.get_int_max_str_digits()
    value = [10**700, -(10**4299), 10**4300, 10**9000]
    messages = []
    try:
        for limit in (640, 0, 4300):
            sys.set_int_max_str_digits(limit)
            messages.append(there(value))
        sys.set_int_max_str_digits(digits)
        assert all(back(text) == value for text in messages)
    finally:
        sys.set_int_max_str_digits(before)


def test_shared_parts_stay_shared() -> None:
    """One object met twice is one object again."""
    inner, data = [1], b"x" * 100
    one, two, three, four = both_ways([inner, {"again": inner}, data, [data]])
    assert one is two["again"]
    assert three is four[0]


def test_equal_parts_stay_apart() -> None:
    """Two objects that are only equal stay two."""
    one, two = both_ways([[], []])
    assert one is not two


def test_a_container_may_contain_itself() -> None:
    """Cycles through mutable containers come back as the same cycles."""
    value: list[Any] = []
    value.append({"self": value, "deque": collections.deque([value])})
    result = both_ways(value)
    assert result[0]["self"] is result
    assert result[0]["deque"][0] is result


def test_a_cycle_may_pass_through_immutable_values() -> None:
    """A tuple in a list in that tuple, from either end; a frozen instance too."""
    inner: list[Any] = []
    outer = (inner,)
    inner.append(outer)
    assert (result := both_ways(outer))[0][0] is result
    assert (result := both_ways(inner))[0][0] is result
    frozen = Frozen([])
    frozen.x.append(frozen)
    assert (result := both_ways(frozen)).x[0] is result
    assert (result := both_ways(frozen.x))[0].x is result


def test_a_cycle_may_pass_through_keys_and_subclasses() -> None:
    """A dict keyed by an instance that holds it, a list subclass in its own attribute, a Counter inside its key."""
    holder = Open(None)
    holder.__class__.__hash__ = object.__hash__  # type: ignore[method-assign, assignment] # a dataclass with eq has none
    holder.x = {holder: 1}
    result = both_ways(holder)
    assert result.x[result] == 1
    mine = MyList([1])
    mine.append(mine)
    mine.note = (mine,)
    result = both_ways(mine)
    assert result[1] is result
    assert result.note[0] is result
    table = MyDict()
    key = (1, 2)
    table[key] = (table, [table])
    result = both_ways(table)
    assert result[key][0] is result
    counter: Any = collections.defaultdict(int)
    pair = (counter, [1])
    counter["pair"] = pair
    result = both_ways(pair)
    assert result[0]["pair"] is result


def test_own_state_may_refer_back() -> None:
    """A class with its own `__setstate__` gets a state that is complete, even in a cycle."""
    value = OwnState([])
    value.pair[0].append(value)
    result = both_ways(value)
    assert result.pair[0][0] is result
    loop = (OwnState(1),)
    loop[0].pair = (loop, 2)
    result = both_ways(loop)
    assert result[0].pair[0] is result


def test_depth_costs_no_recursion() -> None:
    """A value nested 100,000 levels deep travels, in containers and in instances."""
    value: Any = None
    for _ in range(100_000):
        value = [value]
    text = there(value, pickled=True)
    result = back(text)
    for _ in range(100_000):
        (result,) = result
    assert result is None
    node: Any = None
    for _ in range(20_000):
        node = Slotted(node, 1)
    result = both_ways(node)
    for _ in range(20_000):
        result = result.x
    assert result is None


def test_callables_of_the_standard_library_travel() -> None:
    """partial, bound methods, operator's callables, generic aliases and struct.Struct are rebuilt."""
    double = functools.partial(int, base=2)
    double.note = [1]  # type: ignore[attr-defined] # partials have a __dict__
    assert both_ways(double)("11") == 3
    assert both_ways(double).note == [1]
    nested = functools.partial(functools.partial(int), "12")
    assert both_ways(nested)() == 12
    assert both_ways(operator.itemgetter(1, 0))("ab") == ("b", "a")
    assert both_ways(operator.attrgetter("real", "imag"))(1 + 2j) == (1, 2)
    assert both_ways(operator.methodcaller("split", ",", maxsplit=1))("a,b,c") == ["a", "b,c"]
    assert both_ways(list[int]) == list[int]
    assert both_ways(struct.Struct("<ih")).size == 6
    method = types.MethodType(len, [1, 2])
    assert both_ways(method)() == 2


def test_loggers_go_by_name() -> None:
    """A logger comes back as the logger of that name; one that the host does not have is refused."""
    here = logging.getLogger("capsend.tests")
    assert both_ways(here) is here
    assert both_ways(logging.getLogger()) is logging.getLogger()
    with pytest.raises(codec.Malformed):
        back(there(here).replace("capsend.tests", "capsend.nobody"))


def test_zones_go_by_key() -> None:
    """A ZoneInfo comes back as the one cached object of its key."""
    paris = zoneinfo.ZoneInfo("Europe/Paris")
    assert both_ways(paris) is paris


def test_missing_fields_stay_missing() -> None:
    """A slot that was never set is not set after the journey either."""
    value = object.__new__(Slotted)
    value.x = 1
    result = both_ways(value)
    assert result.x == 1
    assert not hasattr(result, "y")


def test_private_slots_of_two_classes_are_kept_apart() -> None:
    """`__hidden` of a class and of its base are two slots."""
    result = both_ways(values.Mixed(1, 2))
    assert result._Mixed__hidden == [1]
    assert result._Private__hidden == 2
    assert isinstance(both_ways(Private(1)), Private)


def test_nothing_of_the_class_runs() -> None:
    """No `__init__`, `__new__`, `__setattr__` or property runs when an instance is rebuilt."""

    class Guarded:
        def __new__(cls, *args: object) -> Any:
            raise AssertionError("__new__ ran")

        def __init__(self) -> None:
            raise AssertionError("__init__ ran")

        def __setattr__(self, name: str, value: object) -> None:
            raise AssertionError("__setattr__ ran")

        @property
        def secret(self) -> int:
            raise AssertionError("a property ran")

        @secret.setter
        def secret(self, value: int) -> None:
            raise AssertionError("a property ran")

    result = codec.decode(general('[["x",1],["i",[0],{"secret":1}]]'), resolve=lambda _: Guarded, limits=LIMITS)
    assert vars(result) == {"secret": 1}


def test_the_documented_format_is_the_real_one() -> None:
    """docs/wire.md names every tag, and its examples are what the encoder writes."""
    text = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
    assert all(f"`{tag}`" in text for tag in TAGS)
    examples = dict(re.findall(r"^    (\S.*?)  +([gk]\S+)$", text, re.MULTILINE))
    loop: list[Any] = []
    loop.append(loop)
    assert list(examples.values()) == [there((b"\xff", [1])), there(loop)]


# Values without an encoding


def unsendable() -> dict[str, tuple[object, str]]:
    lock = threading.Lock()
    return {
        "lock in a list in a dict": ({"a": [1, lock]}, "['a'][1]"),
        "lock in an instance": ([0, 1, 2, Open(lock)], "[3].x"),
        "lock in a slot": (Slotted(1, (lock,)), ".y[0]"),
        "lock in a NamedTuple": (Place(1, lock), ".y"),
        "lock in a partial": (functools.partial(int, lock), ".args[0]"),
        "lock as a key": ({(1, lock): 2}, "{key 0}[1]"),
        "lock under an int key": ({7: lock}, "[7]"),
        "lock in a deque": (collections.deque([1, lock]), "[1]"),
        "lock in a defaultdict": (collections.defaultdict(int, a=lock), "['a']"),
        "generator": ([(x for x in ())], "[0]"),
        "iterator": (iter([]), ""),
        "dict view": ({}.keys(), ""),
        "exception": ([ValueError()], "[0]"),
        "lambda": ({"f": lambda: 0}, "['f']"),
        "object": ([object()], "[0]"),
        "local class": ([Guard()], "[0].__class__"),
        "contextvar": (threading.local(), ""),
        "failing state": ([Stubborn()], "[0]"),
    }


class Guard:
    pass


class Stubborn:
    def __getstate__(self) -> object:
        raise RuntimeError("not today")


@pytest.mark.parametrize("name", unsendable())
def test_what_cannot_be_sent_is_named_by_its_path(name: str) -> None:
    """The refusal has the path to the offending part."""
    value, path = unsendable()[name]
    with pytest.raises(codec.NotEncodable) as caught:
        there(value)
    assert caught.value.path == path


def test_a_class_that_only_claims_a_name_is_not_taken_for_it() -> None:
    """The exact class counts: `__module__`, `__qualname__` and `__class__` may lie."""

    class Decimal:
        __module__ = "decimal"
        __class__ = int  # type: ignore[assignment] # the lie

    with pytest.raises(codec.NotEncodable):
        there(Decimal())


def test_the_host_says_what_cannot_be_sent() -> None:
    """`encode_value` raises a SerializationError with the path; it can be pickled."""
    with pytest.raises(SerializationError, match=r"^rows\[0\] cannot be sent: ") as caught:
        wire.encode_value([threading.Lock()], externals=values.externals, name="rows")
    assert caught.value.path == "rows[0]"
    assert pickle.loads(pickle.dumps(caught.value)).path == "rows[0]"


# Texts that the host refuses


HOSTILE_TEXTS = {
    "nothing": "",
    "no letter": "[]",
    "pickle": there([[1]], pickled=True),
    "not ascii": 'p"é"',
    "not json": "p[1",
    "two values": "p1 2",
    "tuple of an object": "t{}",
    "call of three": "c[[],{},1]",
    "no nodes": "g2:[]",
    "length beyond the end": 'gff:[["l"]]',
    "negative length": 'g-9:[["l"]]',
    "node that is no list": "g3:[1]",
    "nested too deep": "p" + "[" * 200 + "]" * 200,
    "nested for ever": "p" + "[" * 1_000_000,
    "nested in objects": "p" + '{"a":' * 200 + "1" + "}" * 200,
    "nested with strings between": "p" + '["]",' * 200 + "1" + "]" * 200,
    "huge decimal int": "p" + "9" * 10_000,
}
HOSTILE_NODES = {
    "text after": '[["l"]]x',
    "unknown tag": '[["q"]]',
    "list as a tag": '[[["l"]]]',
    "reference to itself": '[["t",[0]]]',
    "reference beyond": '[["l",[9]]]',
    "negative reference": '[["l",[-1]]]',
    "bool as a reference": '[["l",[true]]]',
    "float as a reference": '[["l",[0.0]]]',
    "long reference": '[["l",[0,0]]]',
    "object as a part": '[["l",{}]]',
    "odd mapping": '[["m",1]]',
    "bytes beyond the end": '[["b",9,16]]',
    "bytes of negative length": '[["b",-1,16]]',
    "bytes that are no hex": '[["b",2,16]]zz',
    "bytes of odd hex": '[["b",1,16]]0',
    "bytes that are no base64": '[["b",2,64]]!!',
    "bytes in an unknown form": '[["b",2,99]]00',
    "text that is no UTF-8": '[["u",2,16]]ff',
    "number that is none": '[["n","xx"]]',
    "number with underscores": '[["n","1_0"]]',
    "unhashable key": '[["l"],["m",[0],1]]',
    "unhashable element": '[["l"],["s",[0]]]',
    "unknown reference": '[["x",{}]]',
    "instance of nothing": '[["i",1,{}]]',
    "instance without class": '[["i"]]',
    "instance of a function": '[["x",{"n":["v","len"]}],["i",[0],{}]]',
    "instance of an enum": '[["x",{"n":["v","Colour"]}],["i",[0],{}]]',
    "instance of a builtin": '[["x",{"n":["v","list"]}],["i",[0],{}]]',
    "instance with a base it lacks": '[["x",{"n":["v","Open"]}],["k",[0],null,{}]]',
    "instance with the wrong base": '[["x",{"n":["v","MyInt"]}],["k",[0],"a",{}]]',
    "slot class with an unknown field": '[["x",{"n":["v","Slotted"]}],["i",[0],{"z":1}]]',
    "named tuple of one": '[["x",{"n":["v","Place"]}],["T",[0],1]]',
    "tuple of a list": '[["x",{"n":["v","MyList"]}],["T",[0],1]]',
    "unknown member": '[["x",{"n":["v","Colour"]}],["e",[0],"BLUE"]]',
    "member by a method's name": '[["x",{"n":["v","Colour"]}],["e",[0],"mro"]]',
    "unknown flag": '[["x",{"n":["v","Access"]}],["E",[0],999]]',
    "state that does not fit": '[["x",{"n":["v","OwnState"]}],["o",[0],1]]',
    "state that is no dict": '[["x",{"n":["v","Open"]}],["o",[0],1]]',
    "date that is none": '[["date",2020,13,40]]',
    "date of bools": '[["date",true,true,true]]',
    "date of too many": '[["date",1,1,1,1]]',
    "zone outside": '[["zone","../../etc/passwd"]]',
    "absolute zone": '[["zone","/etc/passwd"]]',
    "decimal that is none": '[["decimal","x"]]',
    "fraction over zero": '[["fraction",1,0]]',
    "empty range": '[["range",0,1,0]]',
    "path of no kind": '[["path","Popen","x"]]',
    "broken pattern": '[["pattern","(",32]]',
    "debugging pattern": '[["pattern","a",128]]',
    "array of no code": '[["array","q",8,1]]',
    "alias of nothing": '[["alias",1,[9]]]',
    "method of nothing": '[["method",1,2]]',
    "partial of nothing": '[["t"],["d",{}],["partial",1,[0],[1],[1]]]',
    "defaultdict of nothing": '[["d",{}],["defaultdict",1,[0]]]',
    "deque with a text limit": '[["deque","x"]]',
    "nested nodes": '[["x",[[[[[1]]]]]]]',
}


def general(nodes: str, blobs: str = "") -> str:
    return f"g{len(nodes):x}:{nodes}{blobs}"


@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_text_that_is_no_message_is_refused(name: str) -> None:
    """Whatever is no message of the encoder is Malformed, and nothing else is raised."""
    with pytest.raises(codec.Malformed):
        back(HOSTILE_TEXTS[name])


@pytest.mark.parametrize("name", HOSTILE_NODES)
def test_nodes_that_make_no_value_are_refused(name: str) -> None:
    """Nodes that no encoder writes are Malformed, whichever standard class would complain of them."""
    nodes, end, blobs = HOSTILE_NODES[name].rpartition("]")
    with pytest.raises(codec.Malformed):
        back(general(nodes + end, blobs))


def refused_quickly(text: str, match: str) -> None:
    start = time.perf_counter()
    with pytest.raises(codec.Malformed, match=match):
        back(text)
    assert time.perf_counter() - start < 20, "bounded, with room for a slow machine"


def test_colliding_keys_are_refused() -> None:
    """Ints of the same hash would make a dict quadratic."""
    prime = sys.hash_info.modulus
    keys = ",".join(f'["n","{k * prime:x}"]' for k in range(1, 1000))
    elements = ",".join(f"[{k}]" for k in range(999))
    refused_quickly(general(f'[{keys},["s",{elements}]]'), "same hash")


def test_keys_that_are_expensive_to_hash_are_refused() -> None:
    """A tuple of a tuple of a tuple, each twice, is hashed two to the number of levels times."""
    nodes = ",".join(['["t"]', *(f'["t",[{k}],[{k}]]' for k in range(60)), '["s",[60]]'])
    refused_quickly(general(f"[{nodes}]"), "work")


def test_keys_nested_deep_are_refused() -> None:
    """Hashing nested tuples recurses in C without a check."""
    nodes = ",".join(['["t"]', *(f'["t",[{k}]]' for k in range(100_000)), '["s",[100000]]'])
    refused_quickly(general(f"[{nodes}]"), "deeper")


def test_patterns_that_are_expensive_to_compile_are_refused() -> None:
    """Every large range of a character class costs the compiler milliseconds when case is ignored."""
    pattern = "[" + "\\\\u0100-\\\\uffff" * 5000 + "]"
    refused_quickly(general(f'[["pattern","(?i){pattern}",32]]'), "work")


def test_partials_of_partials_stay_small() -> None:
    """A chain of partials is rebuilt link by link, not merged into ever longer ones."""
    links = ",".join(f'["partial",[{3 + k}],[1],[2],[2]]' for k in range(900))
    text = general(f'[["x",{{"n":["v","len"]}}],["t",1],["d",{{}}],["partial",[0],[1],[2],[2]],{links}]')
    assert len(back(text).args) == 1


def test_waiting_for_parts_that_come_later_is_paid_for() -> None:
    """Nodes that wait for each other are looked at a bounded number of times."""
    size = 20_000
    nodes = ",".join(f'["t",{",".join(f"[{k}]" for k in (j + 1, j + 2))}]' for j in range(size))
    start = time.perf_counter()
    with pytest.raises(codec.Malformed):
        back(general(f'[{nodes},["t",[0]],["t"]]'))
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    ("limits", "value"),
    [
        (codec.Limits(max_chars=10), "a" * 11),
        (codec.Limits(max_nodes=10), [[] for _ in range(11)]),
        (codec.Limits(max_items=10), list(range(20))),
        (codec.Limits(max_work=10), {(1, 2, k) for k in range(20)}),
        (codec.Limits(max_collisions=1), {-1, -2}),
        (codec.Limits(max_key_depth=2), {(((1,),),)}),
    ],
    ids=["chars", "nodes", "items", "work", "collisions", "key depth"],
)
def test_every_limit_is_applied(limits: codec.Limits, value: object) -> None:
    """Each limit refuses what goes beyond it, and the default limits accept the same."""
    text = there(value)
    assert back(text) == value
    with pytest.raises(codec.Malformed):
        back(text, limits)


def test_a_message_that_is_too_long_is_an_output_limit() -> None:
    """The host says so by `OutputLimitExceeded`, and any other refusal by `ProcessFailed`."""
    with pytest.raises(OutputLimitExceeded, match="11 characters"):
        wire.decode_value("s0123456789", resolve=values.resolve, limits=codec.Limits(max_chars=10))
    with pytest.raises(ProcessFailed, match="cannot be accepted"):
        wire.decode_value("nonsense", resolve=values.resolve)


def test_only_known_classes_are_built() -> None:
    """A name that `resolve` does not know is refused, and so is a known class that acts when its instances go away."""
    with pytest.raises(codec.Malformed):
        back(there(Open(1)).replace("Open", "Popen"))

    class Closing:
        __module__ = "subprocess"

        def __del__(self) -> None:
            raise AssertionError("it was built")

    with pytest.raises(ProcessFailed, match="may come from outside"):
        wire.decode_value(general('[["x",1],["i",[0],{"pid":1}]]'), resolve=lambda _: Closing)


def test_errors_of_the_users_methods_are_malformed() -> None:
    """`__hash__`, `__eq__` and `__setstate__` of the user's classes run on the host; what they raise is the cause."""

    class Wild:
        def __hash__(self) -> int:
            raise OSError("no hash")

    with pytest.raises(codec.Malformed) as caught:
        codec.decode(general('[["x",1],["i",[0],{}],["s",[1]]]'), resolve=lambda _: Wild, limits=LIMITS)
    assert isinstance(caught.value.__cause__, OSError)


def test_flags_and_enums_of_the_standard_library_travel_by_name() -> None:
    """An enum needs nothing but a reference to its class."""

    def resolve(_: object) -> type:
        return http.HTTPStatus

    text = codec.encode([http.HTTPStatus.OK], externals=lambda t: 1 if t is http.HTTPStatus else None)
    assert codec.decode(text, resolve=resolve, limits=LIMITS)[0] is http.HTTPStatus.OK
    assert same(Colour.GREEN, both_ways(Colour.GREEN))
    assert isinstance(both_ways(enum.Flag.__call__ and values.Access.READ | values.Access.RUN), values.Access)


def test_dataclass_instances_keep_what_was_added_to_them() -> None:
    """An undeclared entry of `__dict__` is a field like any other."""

    @dataclasses.dataclass
    class Local:
        x: int

    value = Local(1)
    value.extra = [value]  # type: ignore[attr-defined] # that is the point
    text = codec.encode(value, externals=lambda t: 1 if t is Local else None)
    result = codec.decode(text, resolve=lambda _: Local, limits=LIMITS)
    assert result.extra[0] is result
