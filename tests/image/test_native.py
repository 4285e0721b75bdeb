"""Packages with native code: built from source for the guest, kept in the store, baked, called.

`CAPSEND_NATIVE=1` runs the long form, which needs a network and minutes: the packages with recipes, each built and tried.
"""

from __future__ import annotations

import errno
import importlib.util
import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from capsend import Dir, Environment, Image, ImageError, ProcessFailed
from capsend.image.native import store, toolchain
from capsend.image.native.build import build, replace_texts
from capsend.image.native.place import TAG, native_folder
from capsend.image.native.recipes import Recipe, Replacement, recipes
from capsend.image.packages import collect

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parent / "tiny_package"
NAME = "capsend-tiny-extension"
PATIENCE = 120
pytestmark = [
    pytest.mark.timeout(1_800),  # an image is built, perhaps beside much else
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def silent(_line: str) -> None:
    """Show nothing of a build."""


def sdist(folder: Path, target: Path, *, stem: str = "tiny-1.0") -> Path:
    """Pack a folder as an sdist."""
    with tarfile.open(target, "w:gz") as archive:
        archive.add(folder, arcname=stem)
    return target


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of these tests alone."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPSEND_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def tiny(cache: Path) -> store.Wheel:
    """The extension of the tests, built for the guest."""
    return build(NAME, sdist=sdist(SOURCE, cache / "tiny-1.0.tar.gz"), say=silent)


@pytest.fixture(scope="module")
def environment(tiny: store.Wheel) -> Environment:
    """An environment whose image has it: the one image of these tests."""
    made = Environment(image=Image(packages=[NAME]), timeout=PATIENCE)
    made.image.ensure()
    return made


def use_it() -> dict[str, Any]:
    import tiny
    from tiny import _thrower

    point = tiny.Point()
    point.x = 1.5
    found = {
        "add": tiny.add(2**40, 2),
        "total": tiny.total(bytes(range(10))),
        "point": point.x,
        "c++": _thrower.ordered("sandbox"),
    }
    for name, call in (("negative", lambda: tiny.add(-1, 0)), ("missing", tiny.missing_file)):
        try:
            call()
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


def test_extension_works_inside_as_it_does_outside(environment: Environment) -> None:
    """Functions, errors, buffers, types, and C++ without exceptions."""
    assert environment.spawn(use_it).result() == {
        "add": 2**40 + 2,
        "total": 45,
        "point": 1.5,
        "c++": "abdnosx",
        "negative": "ValueError: -1 is negative",
        "missing": "FileNotFoundError: [Errno 44] No such file or directory: '/no/such/file'",
    }


def test_structures_of_the_headers_are_those_of_the_library(environment: Environment, tmp_path: Path) -> None:
    """`stat`, `tm`, `FILE` and the numbers of errors: the headers come from zig, the C library from componentize-py."""
    (tmp_path / "file.txt").write_text("first\nrest")
    os.utime(tmp_path / "file.txt", (1_234_567_890, 1_234_567_890))
    folder = Dir(tmp_path, write=False)

    def look(folder: Dir) -> Any:
        import errno
        import os

        import tiny

        path = os.fspath(folder / "file.txt")
        return tiny.layouts(path), (errno.ENOENT, errno.EINVAL, errno.ERANGE)

    found, errors = environment.spawn(look, folder).result()
    assert found["stat"] == (10, 1_234_567_890, 1)
    assert found["tm"] == (101, 8, 9, 1, 46, 40, 0, 251)
    assert found["FILE"] == ("first\n", 6, 1, 0)
    assert found["errno"] == errors != (errno.ENOENT, errno.EINVAL, errno.ERANGE)
    assert found["recent"] == 1


def test_extension_that_writes_over_its_memory_harms_its_own_process_only(environment: Environment) -> None:
    """Processes at the same time, and later ones from the same image, are not affected."""

    def scribble() -> None:
        import tiny

        tiny.scribble()

    def answer(n: int) -> int:
        import tiny

        return int(tiny.add(n, 1))

    with environment.spawn(lambda: __import__("time").sleep(60)) as beside:
        for _ in range(3):
            with pytest.raises(ProcessFailed):
                environment.spawn(scribble).result()
            assert environment.spawn(answer, 41).result() == 42
        assert not beside.done()
        beside.kill()


def test_exception_of_cplusplus_ends_the_process(environment: Environment) -> None:
    """With words in the error, since the libraries of the image cannot catch it."""

    def throw() -> str:
        from tiny import _thrower

        return str(_thrower.throw_and_catch())

    outcome = environment.execute(throw)
    assert isinstance(outcome.error, ProcessFailed)
    assert "a C++ exception was thrown" in str(outcome.error)


def test_package_of_the_store_is_not_the_hosts(tiny: store.Wheel) -> None:
    """A guest's package on the import path would break the host's."""
    assert importlib.util.find_spec("tiny") is None
    assert tiny.path.name.endswith(f"-{TAG}.whl")
    assert store.find(NAME) == tiny
    (package,) = (each for each in collect([NAME]) if each.name == NAME)
    assert package.imports == ("tiny",)
    assert package.digest == tiny.digest
    assert not any(name.endswith((".c", ".cpp")) for name, _ in package.files)


def test_building_the_same_twice_makes_the_same(cache: Path, tiny: store.Wheel) -> None:
    """The key of the store is the content."""
    again = build(NAME, sdist=sdist(SOURCE, cache / "again-1.0.tar.gz"), say=silent)
    assert again.digest == tiny.digest
    assert len([each for each in store.wheels() if each.name == NAME]) == 1


def test_failed_build_names_its_undefined_symbols_and_leaves_nothing(cache: Path, tmp_path: Path) -> None:
    """At the build, where the C code is known, and not when an image is made."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "setup.py").write_text(
        "from setuptools import Extension, setup\nsetup(name='broken', version='1', ext_modules=[Extension('broken', ['broken.c'])])\n"
    )
    (folder / "broken.c").write_text(
        "#include <Python.h>\nint fork(void);\nint no_such_function(int);\n"
        "PyMODINIT_FUNC PyInit_broken(void) { return PyLong_FromLong(no_such_function(fork())); }\n"
    )
    before = sorted(native_folder().rglob("*.whl"))
    with pytest.raises(ImageError, match=r"'broken' could not be built: undefined symbols, .*: fork no_such_function"):
        build("broken", sdist=sdist(folder, tmp_path / "broken-1.tar.gz"), say=silent)
    assert sorted(native_folder().rglob("*.whl")) == before
    assert not list(native_folder().glob(".build-*"))


def test_compiler_reports_functions_that_the_guest_has_not(cache: Path, tmp_path: Path) -> None:
    """Configure scripts ask by linking a program; none that is left out for want of use may count as there."""
    with toolchain.borrowed() as tools:
        for name, exists in (
            ("backtrace", False),
            ("getpid", True),
            ("pthread_create", True),
            ("fork", False),
            ("sinl", True),
        ):
            (tmp_path / "check.c").write_text(f"char {name}(void);\nint main(void) {{ return {name}(); }}\n")
            command = [tools.environment["CC"], "-fno-builtin", "check.c", "-lm", "-o", "check"]
            done = subprocess.run(
                command, cwd=tmp_path, env=os.environ | tools.environment, capture_output=True, check=False
            )
            assert (done.returncode == 0) is exists, (name, done.stderr)


def test_sdist_with_another_digest_is_not_run(cache: Path, tmp_path: Path) -> None:
    """A recipe pins what runs on the host."""
    folder = tmp_path / "forged"
    folder.mkdir()
    (folder / "setup.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    with pytest.raises(ImageError, match="is not the file that the recipe names"):
        build("markupsafe", sdist=sdist(folder, tmp_path / "markupsafe-3.0.4.tar.gz"), say=silent)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["orjson", "rpds-py", "pydantic-core", "pandas", "pillow"])
def test_what_cannot_be_built_is_refused_with_the_reason(name: str) -> None:
    """Before anything is downloaded."""
    with pytest.raises(ImageError, match=r"cannot be built for a process yet: .{40}"):
        build(name, say=silent)


def test_texts_that_are_wrong_for_webassembly_are_replaced_where_they_stand_once(tmp_path: Path) -> None:
    """A recipe that does not fit an sdist fails, with the file and the text."""
    recipe = Recipe(
        "tiny", {"1.0": ""}, replacements=(Replacement("src/a.c", "f(void* self) {", "f(void* self, void* unused) {"),)
    )
    file = tmp_path / "src" / "a.c"
    file.parent.mkdir()
    file.write_text("static int f(void* self) { return 1; }")
    replace_texts(tmp_path, recipe)
    assert file.read_text() == "static int f(void* self, void* unused) { return 1; }"
    for text in (file.read_text(), "f(void* self) { f(void* self) {"):
        file.write_text(text)
        with pytest.raises(ImageError, match=r"replaces a text in src/a\.c .* does not have there once.*knows: 1\.0"):
            replace_texts(tmp_path, recipe)


def test_recipes_pin_what_they_run() -> None:
    """Each source by its digest."""
    for recipe in recipes().values():
        assert bool(recipe.versions) is not bool(recipe.refused)
        sources = [library.source for library in recipe.libraries if library.source]
        digests = [*recipe.versions.values(), *(source.sha256 for source in sources)]
        assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in digests)
        assert recipe.builder in {"setuptools", "meson"}


def wheel_of(files: dict[str, bytes], *, name: str = "sample") -> bytes:
    """Pack files as a wheel, with metadata."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("files", "name", "words"),
    [
        ({"../outside.py": b""}, "sample", "outside its folder"),
        ({"/outside.py": b""}, "sample", "outside its folder"),
        ({"sample/core.so": b"\x7fELF"}, "sample", "not the guest's: sample/core.so"),
        ({"sample/core.cpython-314-wasm32-wasi.so": b"\x7fELF"}, "sample", "not the guest's"),
        ({"sample/__init__.py": b""}, "../sample", "has no metadata|which are not those of a package"),
    ],
)
def test_store_takes_wheels_of_the_guest_only(cache: Path, files: dict[str, bytes], name: str, words: str) -> None:
    """And writes nothing outside."""
    with pytest.raises(ImageError, match=words):
        store.keep(wheel_of(files, name=name), origin="test")
    assert not list((native_folder() / "wheels").glob(".*"))


def test_installed_ready_made_package_comes_first(
    cache: Path, tiny: store.Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It carries a guest wheel as data, and needs no compiler."""
    content = wheel_of({"sample/__init__.py": b"", "sample/core.cpython-314-wasm32-wasi.so": b"\0asm"})
    (tmp_path / "capsend_sample").mkdir()
    (tmp_path / "capsend_sample" / f"sample-1.0-{TAG}.whl").write_bytes(content)
    info = tmp_path / "capsend_sample-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: capsend-sample\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"capsend_sample/sample-1.0-{TAG}.whl,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    (package,) = (each for each in collect(["sample"]) if each.name == "sample")
    assert package.version == "1.0"
    assert package.imports == ("sample",)
    assert [name for name, _ in package.files if name.endswith(".so")] == ["sample/core.cpython-314-wasm32-wasi.so"]


@pytest.mark.skipif(
    os.environ.get("CAPSEND_NATIVE") != "1",
    reason="CAPSEND_NATIVE=1 builds all packages that have a recipe, from the network",
)
@pytest.mark.parametrize(
    "name", [recipe.name for recipe in recipes().values() if not recipe.refused and recipe.minutes < 5]
)
def test_each_recipe_builds_and_works_inside(name: str) -> None:
    """As `capsend image add` builds and tries it."""
    from capsend.commands.native import add

    wheel = add(name, "", sha256="", sdist=None)
    assert wheel.native_bytes > 0
