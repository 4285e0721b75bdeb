"""The declarations are true of the running Python and of typeshed, and the loader says what is wrong with a file."""

from __future__ import annotations

import array
import ast
import asyncio
import bz2
import collections
import collections.abc
import concurrent.futures
import contextlib
import contextvars
import csv
import ctypes
import datetime
import decimal
import email.message
import enum
import fractions
import functools
import hashlib
import hmac
import importlib
import inspect
import io
import ipaddress
import itertools
import json
import logging
import lzma
import mmap
import multiprocessing
import operator
import os
import pathlib
import pickle
import queue
import random
import re
import select
import selectors
import socket
import sqlite3
import ssl
import statistics
import string
import struct
import subprocess
import sys
import tempfile
import threading
import time
import types
import typing
import unittest.mock
import uuid
import weakref
import xml.etree.ElementTree
import xml.parsers.expat
import zipfile
import zlib
import zoneinfo
from pathlib import Path

import attr
import attrs
import mypy.build
import mypy.nodes
import mypy.options
import mypy.types
import pytest
import typing_extensions

from capsend_traits import Declaration, DeclarationError, Table, Trait, table
from capsend_traits._folder import Folder, installed_providers

SEND, SERIAL, NEVER = Trait.PROCESS_SEND, Trait.SERIALIZABLE, Trait.NEVER

T = typing.TypeVar("T")


def generate():
    yield 1


async def work():
    return 1


async def generate_async():
    yield 1


def closed(value):
    value.close()
    return value


def raised():
    try:
        raise ValueError("x")
    except ValueError as error:
        return error


class Weak:
    pass


SAMPLES = {
    SEND: [
        None, True, 1, 1.5, 1j, "a", b"a", range(3), slice(1), (1,), frozenset({1}), ..., NotImplemented,
        decimal.Decimal(1), fractions.Fraction(1, 2), uuid.uuid4(), datetime.date.today(), datetime.time(), datetime.datetime.now(datetime.UTC),
        datetime.timedelta(1), datetime.UTC, zoneinfo.ZoneInfo("UTC"), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), Path("a"),
        ipaddress.ip_address("1.2.3.4"), ipaddress.ip_address("::1"), ipaddress.ip_network("1.2.3.0/24"), ipaddress.ip_interface("1.2.3.4/24"),
        re.compile("x"), struct.Struct("i"), operator.itemgetter(1), operator.attrgetter("a"), operator.methodcaller("a"),
        list[int], int | str, T, typing.NewType("N", int), typing.Optional, typing.List, typing.List[int], typing.Literal[1], typing.Callable[[int], str],
        collections.abc.Callable[[int], str], statistics.NormalDist(), logging.getLogger("a"), logging.getLogger(), time.gmtime(0), str.upper, int.__add__,
        dict.__dict__["fromkeys"], attrs.NOTHING, string.Formatter(), typing_extensions.TypeAliasType("A", int), typing_extensions.Doc("x"),
    ],
    SERIAL: [
        [], {}, set(), bytearray(), collections.deque(), collections.defaultdict(), collections.OrderedDict(), collections.Counter(),
        collections.ChainMap(), collections.UserDict(), collections.UserList(), collections.UserString(""), array.array("i"), types.SimpleNamespace(),
        string.Template("x"), email.message.Message(), subprocess.CompletedProcess([], 0), logging.Formatter(),
    ],
    NEVER: [
        threading.Lock(), threading.RLock(), threading.Condition(), threading.Event(), threading.Semaphore(), threading.BoundedSemaphore(),
        threading.Barrier(1), threading.Thread(), threading.current_thread(), threading.Timer(1, print), threading.local(), asyncio.Lock(), asyncio.Event(),
        asyncio.Queue(), queue.Queue(), queue.SimpleQueue(), queue.PriorityQueue(), multiprocessing.get_context("spawn").Lock(),
        multiprocessing.get_context("spawn"), multiprocessing.get_context("spawn").Process(), concurrent.futures.Future(),
        concurrent.futures.ThreadPoolExecutor(), concurrent.futures.ProcessPoolExecutor(), asyncio.Runner(), asyncio.DefaultEventLoopPolicy(),
        closed(asyncio.new_event_loop()), closed(socket.socket()), ssl.create_default_context(), ssl.MemoryBIO(), select.poll(), closed(select.epoll()),
        closed(selectors.DefaultSelector()), closed(mmap.mmap(-1, 10)), closed(open(os.devnull)), closed(open(os.devnull, "rb")),
        closed(open(os.devnull, "rb", buffering=0)), sys.__stdout__, io.StringIO(), io.BytesIO(), closed(tempfile.NamedTemporaryFile()),
        closed(sqlite3.connect(":memory:")), sqlite3.connect(":memory:").cursor(), closed(zipfile.ZipFile(io.BytesIO(), "w")),
        iter([]), iter(()), iter(""), iter("\u1234"), iter(b""), iter(bytearray()), iter(range(1)), iter(range(2**70)), iter(set()), iter({}),
        iter({}.values()), iter({}.items()), reversed([]), reversed(()), reversed({}), reversed({}.values()), reversed({}.items()), iter(int, 1),
        iter(memoryview(b"")), iter(list[int]), iter(collections.deque()), reversed(collections.deque()), iter(collections.OrderedDict()),
        iter(array.array("i")), iter(Weak.__mro__), map(abs, []), filter(None, []), zip(), enumerate([]), itertools.count(), itertools.tee([])[0],
        struct.iter_unpack("i", b""), csv.reader([]), csv.writer(io.StringIO()), csv.DictReader([]), re.finditer("x", "x"), os.scandir(),
        {}.keys(), {}.values(), {}.items(), collections.OrderedDict().keys(), collections.OrderedDict().values(), collections.OrderedDict().items(),
        types.MappingProxyType({}), Weak.__dict__, generate(), generate_async(), closed(work()), closed(work()).__await__(), generate_async().__anext__(), generate_async().athrow(ValueError),
        anext(generate_async(), None), contextlib.contextmanager(generate)(), contextlib.ExitStack(), sys._getframe(), raised(), raised().__traceback__, generate.__code__,
        types.CellType(1), memoryview(b""), property(), staticmethod(len), classmethod(len), super(Weak, Weak()), (1).__add__,
        type.__dict__["__doc__"], types.FunctionType.__dict__["__globals__"], functools.cached_property(len), functools.cmp_to_key(max)(1),
        weakref.ref(Weak), weakref.proxy(Weak), weakref.WeakSet(), weakref.WeakKeyDictionary(), weakref.WeakValueDictionary(), weakref.finalize(Weak, print),
        contextvars.ContextVar("v"), contextvars.copy_context(), contextvars.ContextVar("w").set(1), random.Random(), random.SystemRandom(),
        ctypes.c_int(), ctypes.pointer(ctypes.c_int()), (ctypes.c_int * 2)(), ctypes.CDLL(None), ctypes.CDLL(None).abs, ctypes.py_object(1),
        hashlib.sha256(), hashlib.blake2b(), hashlib.sha3_256(), hmac.new(b"", digestmod="sha256"), zlib.compressobj(), zlib.decompressobj(),
        bz2.BZ2Compressor(), lzma.LZMACompressor(), pickle.Pickler(io.BytesIO()), pickle.PickleBuffer(b""), json.JSONDecoder(), json.JSONDecoder().scan_once,
        logging.NullHandler(), decimal.Context(), decimal.localcontext(), re.match("", ""), datetime.date.today().isocalendar(), os.environ, os.stat("."),
        os.times(), sys.flags, sys.version_info, ast.parse("1"), inspect.signature(work), email.message.EmailMessage(), xml.etree.ElementTree.Element("a"),
        xml.parsers.expat.ParserCreate(), unittest.mock.Mock(), unittest.mock.MagicMock(), attrs.field(), attrs.Factory(list), attr.fields(attr.make_class("C", ["x"]))[0],
        datetime.datetime_CAPI,
    ],
}  # fmt: skip
CASES = [
    pytest.param(value, trait, id=f"{trait.value}-{type(value).__name__}-{n}")
    for trait, values in SAMPLES.items()
    for n, value in enumerate(values)
]

NOT_IN_TYPESHED = {
    "_ssl._SSLSocket",
    "collections.abc._CallableGenericAlias",
    "re.Scanner",
    "tempfile._TemporaryFileCloser",
    "types._GeneratorWrapper",
}


@pytest.fixture(scope="module")
def declared() -> list[Declaration]:
    return [declaration for module in table().modules() for declaration in table().declarations(module)]


def importable(module: str) -> types.ModuleType | None:
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def attribute(module: types.ModuleType, declaration: Declaration) -> object:
    return getattr(module, declaration.name.rpartition(".")[2])


# The data


def test_every_declaration_names_a_real_object_of_the_running_python(declared):
    """What a file of an importable module declares exists there and is found by its class, unless it is marked as hidden."""
    for declaration in declared:
        module = importable(declaration.name.rpartition(".")[0])
        if module is not None and not declaration.hidden:
            found = attribute(module, declaration)
            if isinstance(found, type):
                assert table().of_class(found) is declaration
            else:
                assert module.__name__ == "typing"


def test_only_private_and_optional_modules_are_missing():
    """A described module that cannot be imported belongs to another version or is optional in CPython."""
    missing = {module for module in table().modules() if importable(module) is None}
    assert missing <= {
        "_dbm", "_gdbm", "_sha2", "_sha256", "_sha512", "dbm.sqlite3", "pathlib._local", "zipfile._path", "_curses", "tkinter", "_bz2", "bz2", "_lzma", "lzma", "_ssl", "ssl",
    }  # fmt: skip


def test_every_declaration_has_a_reason_that_fits_into_a_sentence(declared):
    """The reason and the cure stand after a colon and before a full stop: no capital, no stop of their own."""
    for declaration in declared:
        assert declaration.reason, declaration.name
        assert bool(declaration.cure) == (declaration.trait is not SEND)
        for text in filter(None, (declaration.reason, declaration.cure)):
            assert not re.match(r"[A-Z][a-z]", text)
            assert not text.endswith((".", ",", ";"))
            assert len(text) < 200


def test_no_class_with_a_trait_derives_from_a_class_without_one(declared):
    """A positive declaration under a Never class would contradict the inheritance of negative impls."""
    for declaration in declared:
        module = importable(declaration.name.rpartition(".")[0])
        if declaration.trait is not NEVER and module is not None and not declaration.hidden:
            bases = (
                attribute(module, declaration).__mro__[1:] if isinstance(attribute(module, declaration), type) else ()
            )
            assert all(base is None or base.trait is not NEVER for base in map(table().of_class, bases)), (
                declaration.name
            )


def test_every_alias_leads_to_a_declaration():
    """An alias in a file gives the answer of the class it stands for."""
    for module in table().modules():
        for name, target in table().aliases(module).items():
            assert table().by_name(name) is table().by_name(target)


@pytest.mark.parametrize(("value", "trait"), CASES)
def test_real_value_has_the_declared_trait(value, trait):
    """The class of a real value is found, itself or through the Never class that it inherits from."""
    cls = type(value)
    declaration = table().negative(cls) or table().of_class(cls)
    assert declaration is not None
    assert declaration.trait is trait


def test_hidden_declarations_are_met_by_real_values(declared):
    """Where no module has a class as an attribute, a sample value shows that the class exists."""
    met = {table().of_class(base) for values in SAMPLES.values() for value in values for base in type(value).__mro__}
    rare = {
        "_ctypes.CField", "_asyncio.FutureIter", "_sre.SRE_Scanner", "_io._BytesIOBuffer", "_elementtree._element_iterator", "_json.Encoder", "sqlite3.Statement",
        "sys.float_info", "sys.hash_info", "sys.int_info", "sys.thread_info", "_dbm.dbm", "_gdbm.gdbm", "builtins.iterator", "builtins.FrameLocalsProxy",
        "builtins.NoDefaultType", "_md5.md5", "_sha1.sha1", "_sha256.sha224", "_sha256.sha256", "_sha512.sha384", "_sha512.sha512",
        "_pickle.PicklerMemoProxy", "_pickle.UnpicklerMemoProxy", "builtins.str_iterator", "builtins.str_ascii_iterator",
    }  # fmt: skip
    assert {declaration.name for declaration in declared if declaration.hidden and declaration not in met} <= rare


C_CLASSES_JUDGED_BY_STRUCTURE = {
    object,
    type,
    functools.partial,
    functools._lru_cache_wrapper,
    datetime.tzinfo,
    types.ModuleType,
    types.FunctionType,
}
C_CLASSES_JUDGED_BY_STRUCTURE |= {types.MethodType, types.BuiltinFunctionType}


@pytest.mark.parametrize(
    "module",
    ["builtins", "collections", "datetime", "decimal", "functools", "io", "itertools", "operator", "os", "pickle", "queue", "re", "select", "socket",
     "sqlite3", "ssl", "struct", "sys", "threading", "time", "types", "weakref", "zlib", "array", "mmap", "contextvars", "random", "zoneinfo"],
)  # fmt: skip
def test_no_public_class_in_c_is_left_out(module):
    """Every class that a module offers and that is implemented in C is declared, or known to be judged by its structure."""
    for name, found in vars(importlib.import_module(module)).items():
        if (
            isinstance(found, type)
            and made_in_c(found)
            and not name.startswith("_")
            and not issubclass(found, (type, BaseException))
        ):
            assert table().negative(found) or table().of_class(found) or found in C_CLASSES_JUDGED_BY_STRUCTURE, name


def made_in_c(cls: type) -> bool:
    return not cls.__flags__ & (1 << 9) or bool(cls.__flags__ & (1 << 8))


# mypy


@pytest.fixture(scope="module")
def typeshed() -> dict[str, mypy.nodes.MypyFile]:
    options = mypy.options.Options()
    options.incremental = False
    options.ignore_missing_imports = True
    options.python_version = sys.version_info[:2]
    source = "\n".join(f"import {module}" for module in table().modules())
    return mypy.build.build([mypy.build.BuildSource(None, None, source)], options).files


def known_to_mypy(files: dict[str, mypy.nodes.MypyFile], name: str) -> mypy.nodes.TypeInfo | None:
    module, _, qualname = name.rpartition(".")
    symbol = files[module].names.get(qualname) if module in files else None
    node = symbol.node if symbol else None
    if isinstance(node, mypy.nodes.TypeAlias):
        target = mypy.types.get_proper_type(node.target)
        node = target.type if isinstance(target, mypy.types.Instance) else None
    return node if isinstance(node, mypy.nodes.TypeInfo) else None


def test_every_class_that_typeshed_knows_is_found_by_its_name_there(typeshed, declared):
    """What mypy calls a class, often another module than the run time's, leads to the same trait."""
    found = 0
    for declaration in declared:
        info = known_to_mypy(typeshed, declaration.name)
        if info is not None:
            found += 1
            assert table().by_name(info.fullname).trait is declaration.trait
    assert found > 400


def test_public_declarations_are_known_to_typeshed(typeshed, declared):
    """A declared public class that mypy does not know would be a slip of the pen."""
    unknown = {
        d.name
        for d in declared
        if d.name.rpartition(".")[0] in typeshed and not d.hidden and known_to_mypy(typeshed, d.name) is None
    }
    assert {
        name for name in unknown if not name.startswith("typing._") and "._t" not in name and "._g" not in name
    } <= NOT_IN_TYPESHED


@pytest.mark.parametrize(
    ("expression", "trait"),
    [
        ("threading.Lock()", NEVER), ("threading.RLock()", NEVER), ("iter([1])", NEVER), ("(i for i in [1])", NEVER), ("open('x')", NEVER), ("open('x', 'rb')", NEVER),
        ("re.compile('x')", SEND), ("sys._getframe()", NEVER), ("{}.keys()", NEVER), ("{1: 2}.items()", NEVER), ("sys.stdout", NEVER),
        ("weakref.ref(int)", NEVER), ("random.Random()", NEVER), ("socket.socket()", NEVER), ("sqlite3.Connection('x')", NEVER), ("ctypes.c_int(1)", NEVER),
        ("ctypes.pointer(ctypes.c_int(1))", NEVER), ("asyncio.Lock()", NEVER), ("asyncio.new_event_loop()", NEVER), ("hashlib.sha256()", NEVER),
        ("logging.getLogger()", SEND), ("pathlib.Path('x')", SEND), ("datetime.datetime.now()", SEND), ("decimal.Decimal(1)", SEND), ("uuid.uuid4()", SEND),
        ("collections.deque([1])", SERIAL), ("collections.Counter('a')", SERIAL), ("itertools.count()", NEVER), ("map(str, [1])", NEVER), ("os.environ", NEVER),
        ("os.scandir('x')", NEVER), ("memoryview(b'')", NEVER), ("types.SimpleNamespace()", SERIAL), ("contextvars.copy_context()", NEVER), ("os.stat('x')", NEVER),
        ("queue.Queue()", NEVER), ("concurrent.futures.ThreadPoolExecutor()", NEVER), ("subprocess.Popen('x')", NEVER), ("zoneinfo.ZoneInfo('x')", SEND),
        ("ipaddress.IPv4Address('1.1.1.1')", SEND), ("array.array('i')", SERIAL), ("struct.Struct('i')", SEND), ("operator.itemgetter(1)", SEND),
        ("contextlib.ExitStack()", NEVER), ("multiprocessing.Queue()", NEVER), ("multiprocessing.Lock()", NEVER),
        ("csv.reader([])", NEVER), ("zlib.compressobj()", NEVER), ("tempfile.TemporaryDirectory()", NEVER), ("slice(1)", SEND),
    ],
)  # fmt: skip
def test_type_that_mypy_infers_has_the_declared_trait(inferred, expression, trait):
    """For real code, mypy's type of an expression or one of that type's bases leads to the declaration."""
    declarations = [table().by_name(base.fullname) for base in inferred[expression].mro]
    assert next(declaration.trait for declaration in declarations if declaration) is trait


@pytest.fixture(scope="module")
def inferred() -> dict[str, mypy.nodes.TypeInfo | mypy.types.Type]:
    marks = [
        mark for mark in test_type_that_mypy_infers_has_the_declared_trait.pytestmark if mark.name == "parametrize"
    ]
    expressions = [case[0] for case in marks[0].args[1]]
    modules = sorted(
        {word for text in expressions for word in re.findall(r"[a-z0-9]+(?=\.)", text) if importable(word)}
        | {"concurrent.futures"}
    )
    lines = [f"import {module}" for module in modules] + [f"v{n} = {text}" for n, text in enumerate(expressions)]
    options = mypy.options.Options()
    options.incremental = False
    files = mypy.build.build([mypy.build.BuildSource(None, "sample", "\n".join(lines))], options).files
    answer = {}
    for n, text in enumerate(expressions):
        kind = mypy.types.get_proper_type(files["sample"].names[f"v{n}"].type)
        kind = mypy.types.get_proper_type(kind.items[0]) if isinstance(kind, mypy.types.UnionType) else kind
        kind = kind.partial_fallback if isinstance(kind, mypy.types.TupleType) else kind
        answer[text] = kind.type if isinstance(kind, mypy.types.Instance) else kind
    return answer


# Lookup


def test_class_that_claims_a_declared_name_is_not_found():
    """Identity decides: `__module__` and `__qualname__` can be set to anything."""
    for name in ("builtins.int", "builtins.list_iterator", "zlib.Compress", "threading.Lock", "typing.Iterator"):
        module, _, qualname = name.rpartition(".")
        assert table().by_name(name) is not None
        assert table().of_class(type("Fake", (), {"__module__": module, "__qualname__": qualname})) is None


@pytest.mark.parametrize("module", [3, None, "", "..", "../declarations", "no\0where"])
def test_odd_module_name_finds_nothing(module):
    """A class may have any `__module__`; it is never taken for a path."""
    assert table().of_class(type("Odd", (), {"__module__": module})) is None


def test_class_whose_metaclass_cannot_be_hashed_is_looked_up():
    """The answer does not depend on what a metaclass does to its classes."""

    class Meta(type):
        __hash__ = None

        def __getattribute__(cls, name):
            raise RuntimeError(name)

    assert table().of_class(Meta("C", (), {})) is None
    assert table().negative(Meta("D", (list,), {}), trait=SEND) is table().by_name("builtins.list")


def test_negative_declarations_are_inherited():
    """A subclass of a Never class is Never; of a Serializable one it lacks ProcessSend."""
    assert table().negative(type("MyThread", (threading.Thread,), {})).name == "threading.Thread"
    assert table().negative(KeyError).name == "builtins.BaseException"
    assert table().negative(type("Tags", (list,), {})) is None
    assert table().negative(type("Tags", (list,), {}), trait=SEND).name == "builtins.list"
    assert table().negative(type("Iter", (collections.abc.Iterator,), {})).name == "typing.Iterator"
    assert table().negative(type("Point", (tuple,), {}), trait=SEND) is None


def test_own_declaration_decides_alone(tmp_path):
    """An explicit declaration of either sign switches off what the bases say."""
    mine = table_of(tmp_path, capsend_probe="class Base(Never): 'a; b'\nclass Own(ProcessSend): 'c'")
    base = type("Base", (), {"__module__": "capsend_probe"})
    own = type("Own", (base,), {"__module__": "capsend_probe"})
    with module_of("capsend_probe", Base=base, Own=own):
        assert mine.negative(own) is None
        assert mine.negative(type("Sub", (own,), {})).name == "capsend_probe.Base"


def test_conditions_are_the_type_parameters_in_order():
    """The answer for a container depends on its arguments in the order that typeshed gives them."""
    assert table().by_name("builtins.dict").parameters == ("K", "V")
    assert table().by_name("builtins.tuple").parameters == ("T",)
    assert table().by_name("re.Pattern").parameters == ()


def test_process_send_implies_serializable():
    """`has` follows the relation between the two traits."""
    assert [table().by_name("builtins.int").has(trait) for trait in (SEND, SERIAL)] == [True, True]
    assert [table().by_name("builtins.list").has(trait) for trait in (SEND, SERIAL)] == [False, True]
    assert [table().by_name("builtins.map").has(trait) for trait in (SEND, SERIAL)] == [False, False]


def test_answering_does_not_import_the_described_module():
    """Neither a name nor the whole table makes a module appear in the interpreter."""
    code = (
        "import sys; from capsend_traits import table; t = table(); assert t.by_name('sqlite3.Connection') and t.by_name('ssl.SSLContext');"
        "[t.declarations(m) for m in t.modules()]; assert not {'sqlite3', 'ssl', 'asyncio', 'ctypes'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_file_is_read_only_when_its_module_is_asked_for(tmp_path):
    """A broken file hurts nobody who does not ask for its module."""
    mine = table_of(tmp_path, good="class A(ProcessSend): 'x'", broken="def")
    assert mine.by_name("good.A") is not None
    with pytest.raises(DeclarationError, match="broken.pyi:1: not Python syntax"):
        mine.by_name("broken.A")


def test_fingerprint_changes_with_the_text_of_any_file(tmp_path):
    """The plugin's cache is valid for one state of the declarations."""
    first = table_of(tmp_path, a="class A(ProcessSend): 'x'").fingerprint()
    assert table_of(tmp_path).fingerprint() == first
    assert table_of(tmp_path, a="class A(ProcessSend): 'y'").fingerprint() != first
    assert len(table().fingerprint()) == 64


# Files


def table_of(folder: Path, **files: str) -> Table:
    for module, text in files.items():
        (folder / f"{module}.pyi").write_text(text)
    return Table(Folder(str(folder), "mine"))


@contextlib.contextmanager
def module_of(name: str, **contents: object):
    module = types.ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module
    try:
        yield module
    finally:
        del sys.modules[name]


def test_nested_classes_aliases_and_parameters_are_read(tmp_path):
    """The whole accepted syntax in one file."""
    text = """
import sys
from typing import Generic, TypeVar
from capsend_traits.marks import Never, ProcessSend, Serializable

K = TypeVar("K")

class Outer(Serializable, Generic[K]):
    '''holds
    things; pass it'''
    class Inner(Never, hidden=True): "a; b, c; d"

Other = Outer
Again = m.Other

if sys.platform == "no such platform":
    class Here(Never): "a; b"
else:
    class Here(ProcessSend): ...
"""
    mine = table_of(tmp_path, m=text)
    assert mine.by_name("m.Again") is mine.by_name("m.Outer")
    assert (mine.by_name("m.Outer").reason, mine.by_name("m.Outer").parameters) == ("holds things", ("K",))
    assert (mine.by_name("m.Outer.Inner").cure, mine.by_name("m.Outer.Inner").hidden) == ("b, c; d", True)
    assert mine.by_name("m.Here").trait is SEND
    assert [d.name for d in mine.declarations("m")] == ["m.Outer", "m.Outer.Inner", "m.Here"]
    assert mine.aliases("m") == {"m.Other": "m.Outer", "m.Again": "m.Other"}


def test_names_of_other_versions_are_known_by_name_only(tmp_path):
    """mypy may check for another Python than the one that runs it."""
    mine = table_of(tmp_path, m="import sys\nif sys.version_info >= (4, 0):\n    class A(ProcessSend): 'x'")
    assert mine.by_name("m.A") is not None
    assert mine.declarations("m") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "class A: 'x; y'",
            r"m.pyi:1: A must have exactly one of ProcessSend, Serializable and Never as a base; write class Name\(Never\)",
        ),
        ("class A(Never, Serializable): 'x; y'", "A must have exactly one of"),
        ("class A(Sendable): 'x'", "base Sendable of A is not a trait"),
        (
            "\nclass A(Never): 'x'",
            r"m.pyi:2: A needs its reason and its cure as the docstring; write class Name\(Never\): \"reason; cure\"",
        ),
        ("class A(Never): ...", "A needs its reason and its cure"),
        ("class A(Serializable): 'x; '", "A needs its reason and its cure"),
        ("class A(ProcessSend): 'x; y'", "A is ProcessSend, so there is nothing to cure"),
        ("class A(Never): 'x; y.'", "Leave out the full stop"),
        (
            "class A(Serializable, Generic[T]): 'x; y'",
            r'parameter T of A is no type variable. Write T = TypeVar\("T"\) above',
        ),
        ("T = TypeVar('T')\nclass A(Never, Generic[T]): 'x; y'", "A is Never whatever its type parameters are"),
        ("class A(Never, secret=True): 'x; y'", "A has a keyword other than hidden=True"),
        ("class A(ProcessSend): ...\nclass A(ProcessSend): ...", "m.pyi:2: m.A is declared twice, first in line 1"),
        ("import sys\nif sys.maxsize > 3: ...", "sys.maxsize > 3 is not understood; write sys.version_info"),
        ("import sys\nif sys.version_info >= 3: ...", "sys.version_info >= 3 is not understood"),
        ("def f(): ...", r"'def f\(\):' is no declaration; write class Name"),
        ("A = 3", "'A = 3' is no declaration"),
        ("A = m.B", "m.B is not declared. Declare it, or correct the alias m.A"),
        ("A = B\nB = A", "is not declared"),
        ("A = A", "m.A is not declared"),
        ("class", "m.pyi:1: not Python syntax"),
        ("\0", "m.pyi:1: not Python syntax"),
    ],
)
def test_invalid_file_is_an_error_with_its_line_and_the_cure(tmp_path, text, message):
    """Whoever writes a declaration is told the file, the line, what is wrong, and what to write."""
    with pytest.raises(DeclarationError, match=message):
        table_of(tmp_path, m=text).by_name("m.A")


def test_file_that_is_not_utf8_is_an_error_with_its_name(tmp_path):
    """Bytes that are no text are reported like any other mistake."""
    (tmp_path / "m.pyi").write_bytes(b"\xff")
    with pytest.raises(DeclarationError, match="m.pyi:1: not UTF-8"):
        table_of(tmp_path).by_name("m.A")


def test_declaration_error_pickles():
    """Errors cross process boundaries with their data."""
    error = pickle.loads(pickle.dumps(DeclarationError("a.pyi", 3, "wrong.")))
    assert (str(error), error.line) == ("a.pyi:3: wrong.", 3)


# Other packages


def install(folder: Path, monkeypatch, *, distribution: str, entry: str, **files: str) -> None:
    """Put a real distribution with an entry point and a package of declaration files on the path."""
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[capsend.traits]\n{distribution} = {entry}\n")
    package = folder / f"{distribution}_traits"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    for module, text in files.items():
        (package / f"{module}.pyi").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()


def test_installed_package_ships_declarations(tmp_path, monkeypatch):
    """An entry point names the package with the files; it is found, and not imported."""
    install(
        tmp_path / "site",
        monkeypatch,
        distribution="geo",
        entry="geo_traits",
        geo="class Point(ProcessSend): 'immutable'",
    )
    mine = Table(Folder(str(tmp_path), "mine"), providers=installed_providers)
    assert mine.by_name("geo.Point").trait is SEND
    assert mine.by_name("geo.Line") is None
    assert "geo" in mine.modules()


def test_two_packages_that_declare_one_class_are_a_conflict(tmp_path, monkeypatch):
    """The message names both places."""
    install(tmp_path / "one", monkeypatch, distribution="one", entry="one_traits", geo="class Point(ProcessSend): 'a'")
    install(tmp_path / "two", monkeypatch, distribution="two", entry="two_traits", geo="class Point(Never): 'b; c'")
    mine = Table(Folder(str(tmp_path), "mine"), providers=installed_providers)
    with pytest.raises(
        DeclarationError,
        match=r"two_traits.geo.pyi:1: geo.Point is already declared in .*one_traits.geo.pyi:1. Keep one of them.",
    ):
        mine.by_name("geo.Point")


def test_package_may_not_declare_the_standard_library(tmp_path, monkeypatch):
    """What capsend declares is not for others to change."""
    install(
        tmp_path / "site", monkeypatch, distribution="bad", entry="bad_traits", threading="class Lock(ProcessSend): 'a'"
    )
    with pytest.raises(DeclarationError, match="threading is a module of the standard library"):
        installed_providers()


@pytest.mark.parametrize("entry", ["no_such_package", "json.decoder", "no_such:thing", "no_such.deeper"])
def test_entry_point_that_names_no_package_is_an_error(tmp_path, monkeypatch, entry):
    """The message names the distribution and the entry point."""
    install(tmp_path / "site", monkeypatch, distribution="bad", entry=entry)
    with pytest.raises(DeclarationError, match="bad:1: capsend.traits entry point bad = .* names no package"):
        installed_providers()


def test_packages_are_not_looked_for_on_behalf_of_the_standard_library(tmp_path):
    """The scan of installed distributions takes milliseconds, so only a class of another package causes it."""

    def scan():
        raise RuntimeError("scanned")

    mine = Table(Folder(str(tmp_path), "mine"), providers=scan)
    assert mine.of_class(int) is None
    assert mine.of_class(type("A", (), {"__module__": "__main__"})) is None
    with pytest.raises(RuntimeError):
        mine.by_name("geo.Point")


def test_enum_members_are_left_to_their_values():
    """Enum is not declared: a member is judged by its value."""
    assert table().of_class(enum.Enum) is None
    assert table().negative(type(inspect.Parameter.POSITIONAL_ONLY)) is None
