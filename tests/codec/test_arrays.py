"""Arrays of numpy and views of memory as values: there and back, and what a hostile process writes instead."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from capsend_traits import table
from capsend_traits.wording import c_class_cure, fit

from capsend import codec
from capsend.codec import arrays
from capsend.codec.text import Limits

RECORD = np.dtype([("a", "<i4"), ("b", "<f8", (2,)), ("c", [("d", "U3"), ("e", "?")])], align=True)


def there_and_back(value: Any, *, beside: bool = True) -> Any:
    segments: list[bytes] = []
    text = codec.encode(value, externals=lambda _: None, pickled=False, segments=segments if beside else None)
    return codec.decode(text, resolve=lambda _: None, may_build=lambda _: False, limits=Limits(), segments=segments)


ARRAYS = {
    "matrix": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "strided": np.arange(10)[::3],
    "reversed": np.arange(4.0)[::-1],
    "no dimension": np.array(5),
    "nothing": np.zeros((0, 3)),
    "text": np.array(["a", "b\u00e9\U0001f600"]),
    "bytes": np.array([b"x", b"yz"]),
    "complex": np.array([1 + 2j]),
    "half": np.array([1.5], "f2"),
    "dates": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "durations": np.array([3], "m8[25s]"),
    "records": np.ones(3, RECORD),
    "big endian": np.array([1, 2], ">u2"),
    "big endian text": np.array(["ab"], ">U2"),
    "bools": np.array([True, False]),
    "raw": np.zeros(2, "V5"),
    "large": np.arange(100_000.0),
    "read only": np.frombuffer(b"abcdefgh", "u1"),
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
}


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_with_memory_of_their_own(name: str, beside: bool) -> None:
    """The same dtype, shape, order and items; never the sender's strides, base or write protection."""
    sent = ARRAYS[name]
    found = there_and_back(sent, beside=beside)
    assert type(found) is np.ndarray
    assert (found.dtype, found.shape, found.tobytes()) == (sent.dtype, sent.shape, sent.tobytes())
    assert found.flags.owndata
    assert found.flags.writeable
    assert found.flags.f_contiguous or not sent.flags.f_contiguous


@pytest.mark.parametrize(
    "value",
    [
        np.float64(1.5), np.float16(2), np.int32(3), np.uint8(255), np.bool_(True), np.str_("abc"), np.str_(""), np.bytes_(b"q"), np.bytes_(b""),
        np.datetime64("2020-01-01", "ns"), np.timedelta64(5, "s"), np.complex64(1j), np.ones(1, RECORD)[0], np.dtype("f8"), RECORD,
        np.dtype("M8[us]"), np.dtype("U3"), np.dtype(">i4"),
    ],
)  # fmt: skip
def test_numbers_and_dtypes_come_back_as_themselves(value: Any) -> None:
    """Of the same class."""
    (found,) = there_and_back([value])
    assert type(found) is type(value)
    assert found == value
    assert getattr(found, "dtype", None) == getattr(value, "dtype", None)


@pytest.mark.parametrize(
    "value",
    [memoryview(b"abc"), memoryview(bytearray(b"abcdefgh")).cast("i"), memoryview(bytearray(8)).cast("B", (2, 4)), memoryview(b""),
     memoryview(b"abcdef")[::2]],
)  # fmt: skip
def test_views_come_back_over_a_copy(value: memoryview) -> None:
    """Writable where they were."""
    found = there_and_back(value)
    assert (found, found.format, found.shape, found.readonly) == (value, value.format, value.shape, value.readonly)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array([None]), "Python objects"),
        (np.longdouble(1), "implemented in C"),
        (np.zeros(1, np.longdouble), "another form on other machines"),
        (np.ma.array([1]), "cannot be taken apart|masked"),
        (np.rec.array([(1, 2)]), "implemented in C|taken apart"),
        (np.random.default_rng(), "implemented in C"),
        (memoryview(np.zeros(2, "l")), "cast the view"),
    ],
)
def test_what_is_no_plain_memory_is_refused(value: Any, words: str) -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError, match=words):
        there_and_back(value)


FORGED = {
    "genuine": ((("a", "b"), ("|b1", "<f8"), (0, 8), 16, True), (1,), "C", b"\1" + bytes(15)),
    "object": ("|O8", (1,), "C", b"\0" * 8),
    "object by name": ("O", (1,), "C", b"\0" * 8),
    "object in a record": ((("a",), ("|O8",), (0,), 8, False), (1,), "C", b"\0" * 8),
    "code": ("__import__('os')", (1,), "C", b"\0" * 8),
    "comma list": ("i4,O", (1,), "C", b"\0" * 12),
    "larger shape": ("<f8", (1000,), "C", b"\0" * 8),
    "smaller shape": ("<f8", (1,), "C", b"\0" * 16),
    "huge shape": ("<f8", (2**62, 2), "C", b""),
    "shape that overflows": ("<f8", (2**32, 2**32), "C", b""),
    "huge shape of nothing": ("<f8", (2**62, 2**62, 0), "C", b""),
    "negative shape": ("<f8", (-1, -1), "C", b"\0" * 8),
    "bool as a shape": ("<f8", (True,), "C", b"\0" * 8),
    "deep shape": ("<f8", (1,) * 100, "C", b"\0" * 8),
    "items without bytes": ("|S0", (2**40,), "C", b""),
    "text without bytes": ("<U0", (2**40,), "C", b""),
    "long text": (f"<U{2**31}", (0,), "C", b""),
    "odd size": ("<f7", (1,), "C", b"\0" * 7),
    "wide float": ("<f16", (1,), "C", b"\0" * 16),
    "unknown order": ("<f8", (1,), "K", b"\0" * 8),
    "unknown unit": ("<M8[fortnights]", (1,), "C", b"\0" * 8),
    "unit of a float": ("<f8[s]", (1,), "C", b"\0" * 8),
    "zero units": ("<M8[0s]", (1,), "C", b"\0" * 8),
    "field outside": ((("a",), ("<f8",), (8,), 8, False), (1,), "C", b"\0" * 8),
    "negative offset": ((("a",), ("<f8",), (-8,), 8, False), (1,), "C", b"\0" * 8),
    "two fields of a name": ((("a", "a"), ("<i4", "<i4"), (0, 4), 8, False), (1,), "C", b"\0" * 8),
    "field without a dtype": ((("a", "b"), ("<i4",), (0, 4), 8, False), (1,), "C", b"\0" * 8),
    "huge item": ((("<f8"), (2**31,)), (0,), "C", b""),
    "bool of another value": ("|b1", (1,), "C", b"\2"),
    "bool in a record": ((("a",), ("|b1",), (0,), 1, False), (1,), "C", b"\2"),
    "no character": ("<U1", (1,), "C", b"\xff\xff\xff\xff"),
    "no character in a record": ((("a", "b"), ("|b1", "<U1"), (0, 1), 5, False), (2,), "C", b"\1\xff\xff\xff\xff" * 2),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_arrays_are_refused(name: str) -> None:
    """Dtype, shape, order and bytes are compared before anything is made."""
    spec, shape, order, data = FORGED[name]
    nodes: list[Any] = []

    def put(value: Any) -> Any:
        if type(value) is tuple:
            nodes.append(["t", *map(put, value)])
            return [len(nodes) - 1]
        return value

    parts = [put(spec), put(shape), order]
    nodes.append(["b", len(data), 8] if data else ["b", 0, 7])
    nodes.append(["ndarray", *parts, [len(nodes) - 1]])
    read = lambda: decoded(nodes, [data] if data else [])
    if name == "genuine":
        assert read().tolist() == [(True, 0.0)]
        return
    with pytest.raises(codec.Malformed, match=r"array|dtype|record|bools|texts|shape|order|field|bytes"):
        read()


def decoded(nodes: list[Any], segments: list[bytes]) -> Any:
    """Decode the general form of a message."""
    body = json.dumps(nodes, separators=(",", ":"))
    return codec.decode(
        f"g{len(body):x}:{body}", resolve=lambda _: None, may_build=lambda _: False, limits=Limits(), segments=segments
    )


def deep(levels: int) -> Any:
    spec: Any = "<f8"
    for _ in range(levels):
        spec = (("a",), (spec,), (0,), 8, False)
    return spec


def test_description_of_a_dtype_has_a_depth() -> None:
    """A hostile one could be as deep as the stack."""
    from capsend.codec.limits import Budget

    with pytest.raises(codec.Malformed, match="too deep"):
        arrays.dtype(Budget(Limits()), deep(50))
    assert arrays.dtype(Budget(Limits()), deep(5)).itemsize == 8


def test_the_same_bytes_in_many_arrays_are_charged() -> None:
    """Each array is a copy, so a small message must not become many large arrays."""
    size, count = 1 << 20, 1_000
    nodes: list[Any] = [["b", size, 8], ["t", size]]
    nodes += [["ndarray", "|u1", [1], "C", [0]] for _ in range(count)]
    nodes.append(["l", *([index + 2] for index in range(count))])
    with pytest.raises(codec.Malformed, match="more work"):
        decoded(nodes, [bytes(size)])


def test_numpy_is_not_imported_before_an_array_is_met() -> None:
    """It is no dependency: capsend runs, sends and receives without it."""
    program = "import sys\nfrom capsend import codec, spawn\nfrom capsend.codec import standard_types\nassert 'numpy' not in sys.modules\n"
    program += "assert not any(name.startswith('numpy') for name in standard_types.MODULES)\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_answer_makes_the_host_import_nothing(tmp_path: Path) -> None:
    """The guest may have written a numpy.py where the host looks for modules: the error names the cure instead."""
    (tmp_path / "numpy.py").write_text("print('run in the host')\n")
    segments: list[bytes] = []
    text = codec.encode([np.zeros(3)], externals=lambda _: None, pickled=False, segments=segments)
    program = (
        "from capsend import codec\nfrom capsend.codec.text import Limits\n"
        f"codec.decode({text!r}, resolve=None, may_build=None, limits=Limits(), segments={segments!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "which this program has not imported. Import numpy in this program before it takes the result" in done.stderr
    assert "run in the host" not in done.stdout


ABSTRACT = {
    *("generic", "number", "integer", "signedinteger", "unsignedinteger"),
    *("inexact", "floating", "complexfloating", "flexible", "character"),
}


def test_every_number_and_dtype_that_is_declared_can_be_written() -> None:
    """The declarations and the table of encodings name the same classes of numpy; abstract ones have no values."""
    scalars = {
        *(each.name for each in table().declarations("numpy") if issubclass(getattr(np, each.name[6:]), np.generic)),
        *(name for name, target in table().aliases("numpy").items() if issubclass(getattr(np, target[6:]), np.generic)),
    }
    assert set(arrays.SCALARS) == scalars - {f"numpy.{name}" for name in ABSTRACT} - {"numpy.object_"}
    assert set(arrays.DTYPES) == table().aliases("numpy.dtypes").keys()


def test_refused_class_with_a_view_of_its_memory_is_passed_by_that_view() -> None:
    """A class in C has no fields to see, but an array or a memoryview of its content is a value."""
    cures = [
        fit(c_class_cure("frames", "Frame", has={name}.__contains__), "frame")
        for name in ("__array_interface__", "__array__", "__buffer__")
    ]
    assert cures == [
        "pass numpy.asarray(frame), its content, as an argument",
        "pass numpy.asarray(frame), its content, as an argument",
        "pass memoryview(frame), its content, as an argument",
    ]
