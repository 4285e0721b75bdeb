"""The declarations are true of the running Python, of real values, and of what mypy calls the same classes.

`tests/declarations/<trait>.txt` holds one value a line that has the trait, `inferred_<trait>.txt` the same for mypy.
"""

from __future__ import annotations

import ast
import builtins
import datetime as dt
import enum
import functools
import importlib
import inspect
import os
import re
import sys
import types
from pathlib import Path
from typing import Any

import mypy.build
import mypy.nodes
import mypy.options
import mypy.types
import pytest
from capsend_traits import Declaration, Trait, table

SAMPLES = Path(__file__).parent
TRAITS = {"process_send": Trait.PROCESS_SEND, "serializable": Trait.SERIALIZABLE, "never": Trait.NEVER}
SUBMODULES = (
    "collections.abc",
    "concurrent.futures",
    "email.message",
    "unittest.mock",
    "xml.etree.ElementTree",
    "xml.parsers.expat",
)
ABSENT_SOMEWHERE = {
    *("_dbm", "_gdbm", "_sha2", "_sha256", "_sha512", "dbm.sqlite3", "pathlib._local", "zipfile._path"),
    "numpy._typing._ufunc",  # a stub only
    *("_curses", "tkinter", "_bz2", "bz2", "_lzma", "lzma", "_ssl", "ssl"),
}
HIDDEN_AND_RARE = {
    *(
        "_ctypes.CField",
        "_asyncio.FutureIter",
        "_sre.SRE_Scanner",
        "_io._BytesIOBuffer",
        "_elementtree._element_iterator",
    ),
    *(
        "_json.Encoder",
        "_dbm.dbm",
        "_gdbm.gdbm",
        "_pickle.PicklerMemoProxy",
        "_pickle.UnpicklerMemoProxy",
        "sqlite3.Statement",
    ),
    *("sys.float_info", "sys.hash_info", "sys.int_info", "sys.thread_info", "_md5.md5", "_sha1.sha1"),
    *("_sha256.sha224", "_sha256.sha256", "_sha512.sha384", "_sha512.sha512"),
    *("builtins.FrameLocalsProxy", "builtins.NoDefaultType", "builtins.str_ascii_iterator"),
}
UNKNOWN_TO_TYPESHED = {
    *(
        "multiprocessing.process.AuthenticationString",
        "_ssl._SSLSocket",
        "collections.abc._CallableGenericAlias",
        "itertools._grouper",
        "itertools._tee",
    ),
    *(
        "zlib._ZlibDecompressor",
        "itertools._tee_dataobject",
        "re.Scanner",
        "tempfile._TemporaryFileCloser",
        "types._GeneratorWrapper",
    ),
}
JUDGED_OTHERWISE = {
    *(object, type, dt.tzinfo, functools.partial, functools._lru_cache_wrapper),
    *(types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType),
}
MODULES_IN_C = (
    "array builtins collections contextvars datetime decimal functools io itertools mmap operator os pickle queue "
    "random re select socket sqlite3 ssl struct sys threading time types weakref zlib zoneinfo"
)


def generate():
    """Be a generator function."""
    yield 1


async def work():
    """Be an async function."""
    return 1


async def generate_async():
    """Be an async generator function."""
    yield 1


def closed(value):
    """Close a value that would otherwise warn when it is collected."""
    value.close()
    return value


def raised():
    """Return an exception with a traceback."""
    try:
        raise ValueError("x")
    except ValueError as error:
        return error


class Weak:
    """Have instances that weak references can point to."""


class Items:
    """Be iterable by position."""

    def __getitem__(self, index):
        """Return no item."""
        raise IndexError(index)


HELPERS = {each.__name__: each for each in (generate, work, generate_async, closed, raised, Weak, Items)}


def sample_lines(kind: str) -> list[str]:
    """Return the expressions of a file of samples."""
    return (SAMPLES / f"{kind}.txt").read_text().splitlines()


def sample_modules(expressions: list[str]) -> list[str]:
    """Return the modules that expressions refer to."""
    names = {node.id for text in expressions for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return [*sorted(names - vars(builtins).keys() - HELPERS.keys() - {"i"}), *SUBMODULES]


def evaluate(expression: str) -> object:
    """Return the value of a sample."""
    modules = {name: importlib.import_module(name) for name in sample_modules([expression]) if "." not in name}
    return eval(expression, {**modules, **HELPERS})


def class_of(expression: str) -> type:
    """Return the class of a sample's value; close the value if it would otherwise warn."""
    value: Any = evaluate(expression)
    if expression.startswith("os.scandir("):
        value.close()
    return type(value)


def importable(module: str) -> types.ModuleType | None:
    """Import a described module if this Python has it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def declared_object(declaration: Declaration) -> object:
    """Return what a declaration names, or None where this Python lacks the module or the class is hidden."""
    module, _, name = declaration.name.rpartition(".")
    found = importable(module)
    return None if found is None or declaration.hidden else getattr(found, name)


for submodule in SUBMODULES:
    importlib.import_module(submodule)


@pytest.fixture(scope="module")
def declared() -> list[Declaration]:
    """Return all declarations that apply to this Python."""
    return [declaration for module in table().modules() for declaration in table().declarations(module)]


def test_every_declaration_names_a_real_object_of_the_running_python(declared):
    """Every declared object exists in its module and is found by its class; in typing, an alias object represents the class."""
    for declaration in declared:
        found = declared_object(declaration)
        if isinstance(found, type):
            assert table().of_class(found) is declaration
        else:
            assert found is None or declaration.name.startswith("typing.")


def test_only_private_and_optional_modules_are_missing():
    """A described module that cannot be imported belongs to another version or is optional in CPython."""
    assert {module for module in table().modules() if importable(module) is None} <= ABSENT_SOMEWHERE


def test_every_declaration_has_a_reason_and_a_cure_that_fit_into_a_sentence(declared):
    """They are used after a colon and before a full stop: no capital, no final stop."""
    for declaration in declared:
        assert declaration.reason, declaration.name
        assert bool(declaration.cure) == (declaration.trait is not Trait.PROCESS_SEND)
        for text in (declaration.reason, declaration.cure):
            assert not re.match(r"[A-Z][a-z]", text)
            assert not text.endswith((".", ",", ";"))
            assert len(text) < 200


def test_no_class_with_a_trait_derives_from_a_class_without_one(declared):
    """A positive declaration under a Never class would contradict the inheritance of negative impls."""
    for declaration in declared:
        found = declared_object(declaration)
        if declaration.trait is not Trait.NEVER and isinstance(found, type):
            bases = [table().of_class(base) for base in found.__mro__]
            assert all(base.trait is not Trait.NEVER for base in bases if base), declaration.name


def test_every_alias_leads_to_a_declaration():
    """An alias in a file gives the answer of its target class."""
    for module in table().modules():
        for name, target in table().aliases(module).items():
            assert table().by_name(name) is table().by_name(target)


@pytest.mark.parametrize("trait", TRAITS)
def test_real_values_have_the_declared_trait(trait):
    """The class of a real value is found, itself or through the Never class that it inherits from."""
    for expression in sample_lines(trait):
        cls = class_of(expression)
        declaration = table().negative(cls) or table().of_class(cls)
        assert declaration is not None, expression
        assert declaration.trait is TRAITS[trait], expression


def test_hidden_declarations_are_met_by_real_values(declared):
    """If no module has a class as an attribute, a sample value shows that the class exists."""
    classes = {base for trait in TRAITS for text in sample_lines(trait) for base in class_of(text).__mro__}
    met = {table().of_class(cls) for cls in classes}
    rare = {each.name for each in declared if each.hidden and each not in met}
    assert {
        name for name in rare if not name.startswith("numpy._")
    } <= HIDDEN_AND_RARE  # these are in numpy's stubs only


@pytest.mark.parametrize("module", MODULES_IN_C.split())
def test_no_public_class_in_c_is_left_out(module):
    """Every class in C that a module offers is declared, or is one of the few that are judged by their structure."""
    for name, found in vars(importlib.import_module(module)).items():
        if isinstance(found, type) and not name.startswith("_") and not issubclass(found, (type, BaseException)):
            written_in_c = not found.__flags__ & (1 << 9) or found.__flags__ & (1 << 8)
            known = table().negative(found) or table().of_class(found) or found in JUDGED_OTHERWISE
            assert known or not written_in_c, name


def test_enum_members_are_left_to_their_values():
    """Enum is not declared: a member is judged by its value."""
    assert table().of_class(enum.Enum) is None
    assert table().negative(type(inspect.Parameter.POSITIONAL_ONLY)) is None


def test_conditions_are_the_type_parameters_in_order():
    """The answer for a container depends on its arguments in the order that typeshed gives them."""
    assert table().by_name("builtins.dict").parameters == ("K", "V")
    assert table().by_name("builtins.tuple").parameters == ("T",)
    assert table().by_name("re.Pattern").parameters == ()


def check_with_mypy(source: str) -> dict[str, mypy.nodes.MypyFile]:
    """Run mypy for the running Python's version."""
    options = mypy.options.Options()
    options.incremental = False
    options.cache_dir = os.devnull  # else 16 databases stay open
    options.ignore_missing_imports = True
    options.python_version = sys.version_info[:2]
    return mypy.build.build([mypy.build.BuildSource(None, "sample", source)], options).files


@pytest.fixture(scope="module")
def typeshed() -> dict[str, mypy.nodes.MypyFile]:
    """Return what mypy knows of all described modules; numpy's stubs take longer than all others together, and have a test of their own."""
    modules = (module for module in table().modules() if module.partition(".")[0] != "numpy")
    return check_with_mypy("\n".join(f"import {module}" for module in modules))


def known_to_mypy(files: dict[str, mypy.nodes.MypyFile], declaration: Declaration) -> mypy.nodes.TypeInfo | None:
    """Return mypy's class for a declared one."""
    module, _, name = declaration.name.rpartition(".")
    symbol = files[module].names.get(name) if module in files else None
    node = symbol.node if symbol else None
    if isinstance(node, mypy.nodes.TypeAlias):
        target = mypy.types.get_proper_type(node.target)
        node = target.type if isinstance(target, mypy.types.Instance) else None
    return node if isinstance(node, mypy.nodes.TypeInfo) else None


def test_every_class_that_typeshed_knows_is_found_by_its_name_there(typeshed, declared):
    """Mypy's name of a class, often by another module than at run time, leads to the same trait."""
    known = [(each, info) for each in declared if (info := known_to_mypy(typeshed, each)) is not None]
    assert len(known) > 400
    for declaration, info in known:
        assert table().by_name(info.fullname).trait is declaration.trait, info.fullname


def test_public_declarations_are_known_to_typeshed(typeshed, declared):
    """A declared public class that mypy does not know would be a slip of the pen."""
    visible = [each for each in declared if not each.hidden and each.name.rpartition(".")[0] in typeshed]
    unknown = {each.name for each in visible if known_to_mypy(typeshed, each) is None}
    assert {name for name in unknown if not name.startswith("typing._")} <= UNKNOWN_TO_TYPESHED


@pytest.fixture(scope="module")
def inferred() -> dict[str, list[mypy.nodes.TypeInfo]]:
    """Return {expression: the MRO of the type that mypy infers for it}."""
    expressions = [text for trait in TRAITS for text in sample_lines(f"inferred_{trait}")]
    imports = [f"import {module}" for module in sample_modules(expressions)]
    files = check_with_mypy("\n".join(imports + [f"v{n} = {text}" for n, text in enumerate(expressions)]))
    answer = {}
    for n, text in enumerate(expressions):
        kind = mypy.types.get_proper_type(files["sample"].names[f"v{n}"].type)
        if isinstance(kind, mypy.types.UnionType):
            kind = mypy.types.get_proper_type(kind.items[0])
        if isinstance(kind, mypy.types.TupleType):
            kind = kind.partial_fallback
        answer[text] = kind.type.mro if isinstance(kind, mypy.types.Instance) else []
    return answer


@pytest.mark.parametrize("trait", TRAITS)
def test_types_that_mypy_infers_have_the_declared_trait(inferred, trait):
    """For real code, mypy's type of an expression or the nearest base of it leads to the declaration."""
    for expression in sample_lines(f"inferred_{trait}"):
        declarations = [table().by_name(base.fullname) for base in inferred[expression]]
        assert next((each.trait for each in declarations if each), None) is TRAITS[trait], expression


def test_samples_are_all_different():
    """A duplicate sample proves nothing."""
    for trait in TRAITS:
        assert len(set(sample_lines(trait))) == len(sample_lines(trait))
