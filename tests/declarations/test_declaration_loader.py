"""The table answers by class and by name, and the loader says what is wrong with a file."""

from __future__ import annotations

import collections.abc
import contextlib
import importlib
import os
import pickle
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from capsend_traits import DeclarationError, Table, Trait, _folder, fingerprint, state_of, table
from capsend_traits._folder import Folder, installed_providers

from capsend.image.guest_files import declaration_files

SEND, SERIAL, NEVER = Trait.PROCESS_SEND, Trait.SERIALIZABLE, Trait.NEVER


def table_of(folder: Path, **files: str) -> Table:
    """Write declaration files, and return the table of them."""
    for module, text in files.items():
        (folder / f"{module}.pyi").write_text(text)
    return Table(Folder(str(folder), "mine"))


@contextlib.contextmanager
def module_of(name: str, **contents: object):
    """Have an imported module for a while."""
    module = types.ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module
    try:
        yield module
    finally:
        del sys.modules[name]


def test_class_that_claims_a_declared_name_is_not_found():
    """Identity decides: `__module__` and `__qualname__` can be set to anything."""
    for name in ("builtins.int", "builtins.list_iterator", "zlib.Compress", "threading.Lock", "typing.Iterator"):
        module, _, qualname = name.rpartition(".")
        assert table().by_name(name) is not None
        assert table().of_class(type("Fake", (), {"__module__": module, "__qualname__": qualname})) is None


@pytest.mark.parametrize("module", [3, None, "", "..", "../declarations", "no\0where"])
def test_odd_module_name_finds_nothing(module):
    """A class may have any `__module__`, or none; it is never taken for a path."""
    assert table().of_class(type("Odd", (), {"__module__": module})) is None


def test_global_of_another_module_is_declared_per_process(tmp_path):
    """`NAME: PerProcess[...]` in a declaration file replaces the annotation that the module lacks."""
    mine = table_of(tmp_path, geo="REGISTRY: PerProcess[dict[str, int]]\nOTHER: PerProcess\n")
    assert mine.is_per_process("geo.REGISTRY")
    assert mine.is_per_process("geo.OTHER")
    assert not mine.is_per_process("geo.MISSING")
    assert not mine.is_per_process("nothing")
    with pytest.raises(DeclarationError, match="is no declaration"):
        table_of(tmp_path, sea="DEPTHS: dict[str, int]\n").is_per_process("sea.DEPTHS")


def test_class_without_a_module_name_is_looked_up():
    """Code that runs in a namespace without `__name__` makes classes without `__module__`."""
    nameless = eval("type('C', (list,), {})", {"__builtins__": {"type": type, "list": list}})
    assert table().of_class(nameless) is None
    assert table().negative(nameless, trait=SEND).name == "builtins.list"


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


def test_process_send_implies_serializable():
    """`has` follows the relation between the two traits."""
    assert [table().by_name("builtins.int").has(trait) for trait in (SEND, SERIAL)] == [True, True]
    assert [table().by_name("builtins.list").has(trait) for trait in (SEND, SERIAL)] == [False, True]
    assert [table().by_name("builtins.map").has(trait) for trait in (SEND, SERIAL)] == [False, False]


def test_answering_does_not_import_the_described_module():
    """Neither a name nor the whole table makes a module appear in the interpreter."""
    code = (
        "import sys; from capsend_traits import table; t = table(); [t.declarations(m) for m in t.modules()];"
        "assert t.by_name('sqlite3.Connection') and t.by_name('ssl.SSLContext');"
        "assert not {'sqlite3', 'ssl', 'asyncio', 'ctypes'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_file_is_read_only_when_its_module_is_asked_for(tmp_path):
    """A broken file affects only queries about its module."""
    mine = table_of(tmp_path, good="class A(ProcessSend): 'x'", broken="def")
    assert mine.by_name("good.A") is not None
    with pytest.raises(DeclarationError, match=r"broken.pyi:1: not Python syntax"):
        mine.by_name("broken.A")


def test_the_state_of_a_package_changes_with_any_of_its_files(tmp_path):
    """The plugin's cache is valid for one state of the declarations: in a working tree, that of sizes and times."""
    file = tmp_path / "deep" / "a.pyi"
    file.parent.mkdir()
    file.write_text("x")
    first = state_of(str(tmp_path))
    assert state_of(str(tmp_path)) == first
    os.utime(file, (1, 1))
    assert state_of(str(tmp_path)) != first
    assert len(fingerprint()) == 64


def test_the_state_of_an_installed_package_is_its_record(tmp_path):
    """An installer writes the digest of every file beside the package: a second installation of one version shares mypy's cache."""
    package, metadata = tmp_path / "somewhere", tmp_path / "capsend-1.dist-info"
    for folder in (package, metadata):
        folder.mkdir()
    (package / "__init__.py").write_text("")
    assert state_of(str(package)) != "somewhere/__init__.py,sha256=abc,0\n"
    (metadata / "RECORD").write_text("somewhere/__init__.py,sha256=abc,0\n")
    assert state_of(str(package)) == "somewhere/__init__.py,sha256=abc,0\n"


def test_announced_declarations_are_part_of_the_fingerprint(tmp_path, monkeypatch):
    """Found as importlib.metadata finds them: by the entry points in a folder of metadata on the path."""
    before = fingerprint()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert fingerprint() == before
    metadata, package = tmp_path / "other-1.dist-info", tmp_path / "other_traits"
    for folder in (metadata, package):
        folder.mkdir()
    (metadata / "METADATA").write_text("Name: other\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[capsend.traits]\nother = other_traits\n")
    (package / "__init__.py").write_text("")
    (package / "other.pyi").write_text("from capsend_traits.marks import Never\nclass A(Never): 'a; b'\n")
    first = fingerprint()
    assert first != before
    (package / "other.pyi").write_text("from capsend_traits.marks import Never\nclass B(Never): 'a; b'\n")
    assert fingerprint() not in {first, before}


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


def test_documented_example_is_valid(tmp_path):
    """The file shown in docs/declarations.md is read without complaint."""
    page = (Path(__file__).parents[2] / "docs" / "declarations.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    mine = table_of(tmp_path, geo=example)
    assert mine.by_name("geo.OldPoint").trait is SEND
    assert mine.by_name("geo.Layer").cure == "pass it as an argument, or capture tuple(layer)"
    assert mine.by_name("geo._Cursor").hidden


def test_names_of_other_versions_are_known_by_name_only(tmp_path):
    """The plugin may check for another Python than the one that runs it."""
    mine = table_of(tmp_path, m="import sys\nif sys.version_info >= (4, 0):\n    class A(ProcessSend): 'x'")
    assert mine.by_name("m.A") is not None
    assert mine.declarations("m") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "class A: 'x; y'",
            r"m.pyi:1: A must have exactly one of ProcessSend, Serializable and Never as a base; write class Name",
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
    """The error has the file, the line, the mistake, and its correction."""
    with pytest.raises(DeclarationError, match=message):
        table_of(tmp_path, m=text).by_name("m.A")


def test_file_that_is_not_utf8_is_an_error_with_its_name(tmp_path):
    """Bytes that are no text are reported like any other mistake."""
    (tmp_path / "m.pyi").write_bytes(b"\xff")
    with pytest.raises(DeclarationError, match=r"m.pyi:1: not UTF-8"):
        table_of(tmp_path).by_name("m.A")


def test_declaration_error_pickles():
    """Errors cross process boundaries with their data."""
    error = pickle.loads(pickle.dumps(DeclarationError("a.pyi", 3, "wrong.")))
    assert (str(error), error.line) == ("a.pyi:3: wrong.", 3)


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


def test_image_holds_what_packages_declare_of_its_modules(tmp_path, monkeypatch):
    """A process that spawns judges classes of other packages by the same declarations, which its image has next to capsend's."""
    install(
        tmp_path / "site",
        monkeypatch,
        distribution="geo",
        entry="geo_traits",
        geo="class Point(ProcessSend): 'immutable'",
        other="class Line(ProcessSend): 'immutable'",
    )
    files = declaration_files(["geo", "attrs"])
    assert list(files) == [Path("capsend_traits/baked/geo/geo.pyi")]
    for inside, path in files.items():
        (tmp_path / inside).parent.mkdir(parents=True)
        (tmp_path / inside).write_bytes(path.read_bytes())
    monkeypatch.undo()
    monkeypatch.setattr(_folder, "__file__", str(tmp_path / "capsend_traits" / "_folder.py"))
    assert Table(Folder(str(tmp_path), "mine"), providers=installed_providers).by_name("geo.Point").trait is SEND


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
    """Other packages cannot change capsend's declarations."""
    install(
        tmp_path / "site", monkeypatch, distribution="bad", entry="bad_traits", threading="class Lock(ProcessSend): 'a'"
    )
    with pytest.raises(DeclarationError, match="threading is a module of the standard library"):
        installed_providers()


@pytest.mark.parametrize("entry", ["no_such_package", "json.decoder", "no_such:thing", "no_such.deeper"])
def test_entry_point_that_names_no_package_is_an_error(tmp_path, monkeypatch, entry):
    """The message names the distribution and the entry point."""
    install(tmp_path / "site", monkeypatch, distribution="bad", entry=entry)
    with pytest.raises(DeclarationError, match=r"bad:1: capsend.traits entry point bad = .* names no package"):
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
