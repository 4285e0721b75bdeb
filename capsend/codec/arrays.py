"""Arrays, scalars and dtypes of numpy, and memory views, as parts for the table of standard classes.

The guest imports numpy only when a message contains an array, and the host never does. The parts of an array are
checked against its bytes before anything is built from them.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from capsend.codec.limits import Malformed

if TYPE_CHECKING:
    from capsend.codec.limits import Budget

# Any in this module is for numpy's values, as capsend does not depend on numpy, and for parts of messages.
ARRAY: Final = ("numpy.ndarray",)
SCALARS: Final = tuple(
    f"numpy.{name}"
    for name in (
        "bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "intc", "uintc", "long", "ulong",
        "longlong", "ulonglong", "float16", "float32", "float64", "complex64", "complex128", "str_", "bytes_", "void", "datetime64",
        "timedelta64",
    )
)  # fmt: skip
DTYPES: Final = tuple(
    f"numpy.dtypes.{name}DType"
    for name in (
        "Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Int", "UInt", "Long", "ULong", "LongLong",
        "ULongLong", "Float16", "Float32", "Float64", "Complex64", "Complex128", "Str", "Bytes", "Void", "DateTime64", "TimeDelta64",
    )
)  # fmt: skip

_SIMPLE: Final = re.compile(
    r"[<>|]([biufcmMSUV])(\d{1,10})(\[(?:[1-9]\d{0,9})?(?:generic|as|fs|ps|ns|us|ms|s|m|h|D|W|M|Y)\])?", re.ASCII
)
_SIZES: Final = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "c": (8, 16), "m": (8,), "M": (8,)}
_MOST_FIELDS: Final = 1_000
_DEEPEST: Final = 16
_LONGEST: Final = 2**31 - 1
_MOST_DIMENSIONS: Final = 32
_LAST_CHARACTER: Final = 0x10FFFF
_FORMATS: Final = {
    "B": 1,
    "b": 1,
    "c": 1,
    "?": 1,
    "h": 2,
    "H": 2,
    "e": 2,
    "i": 4,
    "I": 4,
    "f": 4,
    "q": 8,
    "Q": 8,
    "d": 8,
}
"""{format of a view whose items have the same size on host and guest: that size in bytes}."""


def is_numpys(value: object) -> bool:
    """Return whether decoding a value needs numpy; does not import numpy."""
    return type(value).__module__.partition(".")[0] == "numpy"


def _numpy() -> Any:
    """Return numpy; None if the decoding side lacks it.

    The host imports nothing because of an answer: the guest may have put a file of that name into a folder where the
    host looks for modules.
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        return numpy
    is_host = sys.platform != "wasi"
    if is_host:
        cure = "Import numpy in this program before it takes the result"
        raise Malformed(f"the message holds an array of numpy, which this program has not imported. {cure}")
    try:
        return importlib.import_module("numpy")
    except ImportError as error:
        cure = 'Add it to the image: Environment(image=Image(packages=["numpy"]))'
        raise Malformed(f"the message holds an array of numpy, which the image does not have. {cure}") from error


# dtypes: a text for a simple one; (base, shape) for one of fixed arrays; (names, dtypes, offsets, size, aligned) for a
# record.


def spec_of(dtype: Any) -> Any:
    """Return the description of a dtype in plain values.

    Raises:
        TypeError: the items are not plain memory, or their form differs between host and guest.
    """
    if dtype.hasobject:
        raise TypeError("its items are Python objects (dtype object), which are not memory: send array.tolist()")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return spec_of(base), tuple(map(int, shape))
    if dtype.names is not None:
        parts = [dtype.fields[name] for name in dtype.names]
        if any(len(part) > 2 for part in parts):
            raise TypeError("its dtype has titles, which are not sent: give the fields names only")
        specs = tuple(spec_of(part[0]) for part in parts)
        return (
            tuple(dtype.names),
            specs,
            tuple(int(part[1]) for part in parts),
            int(dtype.itemsize),
            bool(dtype.isalignedstruct),
        )
    text: str = dtype.str
    match = _SIMPLE.fullmatch(text)
    if match is None or not _has_size(match[1], dtype.itemsize):
        raise TypeError(
            f"its dtype {dtype} has another form on other machines: use float64, complex128, or a fixed size"
        )
    return text


def _has_size(kind: str, size: int) -> bool:
    return kind not in _SIZES or size in _SIZES[kind]


def _dtype(spec: Any, depth: int = 0) -> Any:
    """Return the dtype of a description, which may come from any sender."""
    if depth > _DEEPEST:
        raise Malformed("a dtype that is too deep")
    if type(spec) is str:
        match = _SIMPLE.fullmatch(spec)
        size = int(match[2]) * (4 if match[1] == "U" else 1) if match else 0
        if match is None or size > _LONGEST or not _has_size(match[1], size) or bool(match[3]) > (match[1] in "mM"):
            raise Malformed("not a dtype of plain memory")
        return _numpy().dtype(spec)
    if type(spec) is not tuple:
        raise Malformed("not a dtype")
    if len(spec) == 2:
        base, shape = _dtype(spec[0], depth + 1), _shape(spec[1])
        if math.prod(shape) * base.itemsize > _LONGEST:
            raise Malformed("a dtype with an item that is too large")
        return _numpy().dtype((base, shape))
    if (
        len(spec) != 5
        or not all(type(part) is tuple for part in spec[:3])
        or type(spec[3]) is not int
        or type(spec[4]) is not bool
    ):
        raise Malformed("not the dtype of a record")
    names, specs, offsets, size, aligned = spec
    if len({len(names), len(specs), len(offsets)}) != 1 or len(names) > _MOST_FIELDS or not 0 <= size <= _LONGEST:
        raise Malformed("a record with another number of names than of fields")
    if not set(map(type, names)) <= {str} or len(set(names)) < len(names) or not set(map(type, offsets)) <= {int}:
        raise Malformed("a record without proper names and offsets")
    formats = [_dtype(each, depth + 1) for each in specs]
    if not all(0 <= offset <= size - each.itemsize for each, offset in zip(formats, offsets, strict=True)):
        raise Malformed("a record with a field outside of it")
    told = {"names": list(names), "formats": formats, "offsets": list(offsets), "itemsize": size}
    made = _numpy().dtype(told, align=aligned)
    if made.itemsize != size or made.hasobject:
        raise Malformed("a record of another size")
    return made


def _shape(shape: Any) -> tuple[int, ...]:
    if (
        type(shape) is not tuple
        or len(shape) > _MOST_DIMENSIONS
        or not set(map(type, shape)) <= {int}
        or any(each < 0 for each in shape)
    ):
        raise Malformed("not the shape of an array")
    return shape


def array_parts(value: Any) -> tuple[Any, ...]:
    """Return the parts of an array: its dtype, shape, order and bytes."""
    spec = spec_of(value.dtype)
    if value.dtype.itemsize == 0:
        raise TypeError("its items have no bytes")
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return spec, tuple(map(int, value.shape)), order, value.tobytes(order)


def array(budget: Budget, spec: Any, shape: Any, order: str, data: bytes) -> Any:
    """Return an array with memory of its own."""
    count = math.prod(_shape(shape))
    if order not in {"C", "F"}:
        raise Malformed("not the order of an array")
    dtype = _described(budget, spec)
    if dtype.itemsize == 0 or count * dtype.itemsize != len(data):
        raise Malformed("an array whose bytes are not as many as its shape and dtype ask for")
    view = _numpy().ndarray(shape, dtype, data, order=order)
    _check_items(view)
    return view.copy(order)


def _described(budget: Budget, spec: Any) -> Any:
    budget.spend(2_000)
    try:
        return _dtype(spec)
    except (TypeError, ValueError, OverflowError) as error:
        raise error if type(error) is Malformed else Malformed(f"not a dtype: {error}") from None


def _check_items(view: Any) -> None:
    """Refuse items that numpy never makes: bools other than 0 and 1, and characters beyond the last one."""
    if view.size == 0:
        return
    for name in view.dtype.names or ():
        _check_items(view[name])
    if view.dtype.kind == "b" and view.view("u1").max() > 1:
        raise Malformed("an array of bools with other values")
    if view.dtype.kind == "U" and view.dtype.itemsize:
        # A field of a record is not contiguous, so it is copied; its last axis becomes one of characters.
        characters = view.copy().reshape(-1).view(f"{'>' if view.dtype.byteorder == '>' else '<'}u4")
        if characters.max() > _LAST_CHARACTER:
            raise Malformed("an array of texts with what is no character")


def scalar_parts(value: Any) -> tuple[Any, ...]:
    """Return the parts of a number, text or record: its dtype and bytes."""
    return spec_of(value.dtype), value.tobytes() if value.dtype.itemsize else b""


def scalar(budget: Budget, spec: Any, data: bytes) -> Any:
    """Return a number, text or record of numpy."""
    dtype = _described(budget, spec)
    if len(data) != dtype.itemsize or dtype.subdtype is not None:
        raise Malformed("a number of numpy whose bytes are not as many as its dtype asks for")
    if not data:
        return dtype.type()
    view = _numpy().ndarray((), dtype, data)
    _check_items(view)
    return view.copy()[()]


def dtype_parts(value: Any) -> tuple[Any, ...]:
    """Return the one part of a dtype: its description."""
    return (spec_of(value),)


def dtype(budget: Budget, spec: Any) -> Any:
    """Return a dtype."""
    return _described(budget, spec)


def view_parts(value: memoryview) -> tuple[Any, ...]:
    """Return the parts of a view: its format, its shape, whether it is read-only, and its bytes."""
    code = value.format.removeprefix("@").removeprefix("=")
    if _FORMATS.get(code) != value.itemsize:
        raise TypeError(
            f"its items, of the format {value.format!r}, have another form inside: cast the view to 'B', 'q' or 'd'"
        )
    if value.ndim == 0 or (value.nbytes == 0 and value.ndim > 1):
        raise TypeError("it has no item, or no dimension: send bytes(view)")
    if sys.byteorder == "big" and value.itemsize > 1:
        raise TypeError("its items have another order of bytes inside: cast the view to 'B'")
    return code, tuple(value.shape or ()), value.readonly, value.tobytes()


def view(_: Budget, code: Any, shape: Any, readonly: bool, data: bytes) -> Any:
    """Return a view of a copy of the memory, read-only if the original was."""
    shape = _shape(shape)
    if code not in _FORMATS or math.prod(shape) * _FORMATS[code] != len(data):
        raise Malformed("a view whose bytes are not as many as its shape asks for")
    made = memoryview(data if readonly else bytearray(data))
    if not shape or 0 in shape:
        if shape != (0,):
            raise Malformed("a view of nothing with several dimensions")
        return made.cast(code)
    return made.cast("B").cast(code, shape)
