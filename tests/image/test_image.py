"""Images: their content, their refusals, and that a damaged or foreign file is never loaded."""

import os
import shutil
import signal
import subprocess
import sys

import attrs
import pytest

from capsend.environment import Environment
from capsend.exceptions import ImageError
from capsend.image import Image, image
from capsend.image import bake as baking
from capsend.image import cache as ownership
from capsend.image import record as recording
from capsend.image.guest_files import guest_modules
from capsend.image.image import ABSENT, clear_images, list_images


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty, separate cache."""
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path))
    return tmp_path / "images"


# --- what is inside ---


def test_what_is_known_before_the_build_is_what_the_image_holds(template):
    """The names of the standard library answer rightly, module by module."""
    held = Image().modules
    wrong = {
        name for name in sys.stdlib_module_names if (name in held) != (name not in ABSENT) and not _only_elsewhere(name)
    }
    assert wrong == set()


def _only_elsewhere(name):
    """Private modules, and those of other systems, that no program imports by name."""
    return name.startswith("_")


def test_modules_of_capsend_are_known_before_the_image_is_built():
    """A module of the host's own rooms, imported into a program, is not taken for one of the image."""
    Image().ensure()
    built = {name for name in Image().record.modules if name.partition(".")[0] == "capsend"}
    assert {name for name in guest_modules() if name.partition(".")[0] == "capsend"} == built


def test_modules_are_known_without_a_build(cache):
    """Asking does not build."""
    assert Image().knows("json")
    assert Image().knows("concurrent.futures")
    assert Image().knows("attrs")
    assert not Image().knows("ctypes")
    assert not Image().knows("numpy")
    assert not cache.exists()


def test_every_module_of_the_image_can_be_imported(template):
    """The inventory is the truth."""

    def attempt(names):
        import importlib

        return [name for name in names if importlib.import_module(name) is None]

    names = sorted(Image().modules - {"__future__"})
    assert Environment(stdout=None, stderr=None).spawn(attempt, names).result() == []


def test_what_is_not_inside_cannot_be_imported(template):
    """With the error that Python has for it."""

    def attempt():
        import importlib

        return importlib.import_module("no_such_module_anywhere")

    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        Environment().spawn(attempt).result()


def test_attrs_and_typing_extensions_are_inside(template):
    """Every image has them."""

    def attempt():
        import attrs
        import typing_extensions

        return attrs.define(type("A", (), {"__annotations__": {"x": int}})).__name__, typing_extensions.__name__

    assert Environment().spawn(attempt).result() == ("A", "typing_extensions")


# --- packages ---


def test_package_that_is_missing_is_refused_with_the_cure():
    """The pip line is in the message."""
    with pytest.raises(ImageError, match="pip install no-such-package"):
        Image(packages=["no-such-package"]).ensure()


def test_native_package_is_refused_by_the_name_of_its_file():
    """A process runs WebAssembly only."""
    with pytest.raises(ImageError, match=r"wasmtime.*\.(so|dylib|dll) is native code"):
        Image(packages=["wasmtime"]).ensure()


@pytest.mark.parametrize("packages", ["rich", [3], [""]])
def test_packages_must_be_a_list_of_names(packages):
    """A bare string is a common slip."""
    with pytest.raises(TypeError, match="list of package names"):
        Image(packages=packages)


def test_images_are_values():
    """The order of packages does not matter."""
    assert Image(packages=["b", "a", "a"]) == Image(packages=("a", "b"))


# --- the cache ---


def test_copied_image_is_verified_and_used(copied, capsys):
    """A file that is not where it was built is compared with its digest."""
    assert image._load(copied) is not None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", [recording.COMPILED, recording.CONTENT])
def test_tampered_image_is_not_loaded(copied, capsys, name):
    """One changed byte is noticed, although the size is right: in the code as in the memory that processes begin with."""
    if not (copied / name).exists():
        pytest.skip("this image has its memory in the compiled form")
    image._load(copied)
    with (copied / name).open("r+b") as file:
        file.seek(20_000_000)
        byte = file.read(1)[0]
        file.seek(20_000_000)
        file.write(bytes([byte ^ 0xFF]))
    assert image._load(copied) is None
    assert "is not the file that was built" in capsys.readouterr().err


def test_truncated_image_is_not_loaded(copied):
    """As after a crash."""
    os.truncate(copied / recording.COMPILED, 1_000_000)
    assert image._load(copied) is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\udc80", '{"modules": 3}'])
def test_damaged_record_is_not_believed(copied, text):
    """Whatever it holds."""
    (copied / recording.RECORD).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert image._load(copied) is None


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("which", ["folder", "file"])
def test_image_that_others_can_write_is_refused(copied, which):
    """Loading it runs it as native code."""
    (copied if which == "folder" else copied / recording.COMPILED).chmod(0o777)
    with pytest.raises(ImageError, match="can be written by other users"):
        image._load(copied)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_cache_that_others_can_write_is_refused(cache):
    """Before anything is built in it."""
    cache.mkdir()
    cache.chmod(0o777)
    with pytest.raises(ImageError, match="can be written by other users"):
        Image().ensure()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_cache_in_a_folder_of_which_others_may_rename_it_is_refused(copied, tmp_path):
    """Others could replace it by another folder of this user; in a sticky folder, such as /tmp, they cannot."""
    assert copied.is_relative_to(tmp_path)
    tmp_path.chmod(0o1777)
    image._load(copied)
    tmp_path.chmod(0o777)
    with pytest.raises(ImageError, match="could put another folder in the place"):
        image._load(copied)
    with pytest.raises(ImageError, match="could put another folder in the place"):
        Image().ensure()
    tmp_path.chmod(0o700)


def test_image_behind_a_symbolic_link_is_refused(copied, tmp_path):
    """It could point anywhere."""
    elsewhere = tmp_path / "elsewhere"
    copied.rename(elsewhere)
    copied.symlink_to(elsewhere)
    with pytest.raises(ImageError, match="symbolic link"):
        image._load(copied)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_image_of_another_user_is_refused(copied):
    """Whoever else owns it could have written it."""
    os.chown(copied / recording.COMPILED, 12345, 12345)
    with pytest.raises(ImageError, match="belongs to another user"):
        image._load(copied)


def test_images_are_listed_and_cleared(copied):
    """With their sizes, the damaged ones too."""
    (copied.parent / "0123").mkdir()
    found = list_images()
    assert [stored.record is None for stored in found] == [False, True]
    assert found[0].size > 20_000_000
    assert clear_images() >= found[0].size
    assert list_images() == []
    assert not Image().is_built


def test_old_images_make_room_for_a_new_one(copied, monkeypatch):
    """The cache does not grow with every version."""
    record = Image().record
    for number in range(12):
        folder = copied.with_name(f"{number:024}")
        folder.mkdir(mode=0o700)
        attrs.evolve(record, built=record.built - 1000 + number).save(folder / recording.RECORD)
    monkeypatch.setattr(baking, "bake", lambda workshop, **_: shutil.copytree(copied, workshop, dirs_exist_ok=True))
    Image()._build(copied)
    left = [stored.path.name for stored in list_images()]
    assert left == [copied.name, *(f"{number:024}" for number in range(11, 4, -1))]


def test_cache_folder_is_this_users_alone(cache):
    """Mode 0700."""
    ownership.own_folder(cache)
    assert cache.stat().st_mode & 0o777 == 0o700


def test_place_where_nothing_can_be_written_is_named(tmp_path, monkeypatch):
    """With the variable that moves the cache."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(ImageError, match="CAPSEND_CACHE_DIR"):
        Image().ensure()


def test_full_disk_is_reported_with_what_is_needed(cache, monkeypatch):
    """And where."""
    monkeypatch.setattr(baking, "SPACE", 1 << 62)
    with pytest.raises(ImageError, match=r"needs \d+ MB of free disk space in .*images"):
        Image().ensure()
    assert list(cache.glob(".build-*")) == []


def test_key_depends_on_what_is_inside():
    """Another set of packages is another image."""
    assert Image(packages=["sortedcontainers"]).key != Image().key


def test_build_that_is_killed_leaves_nothing_that_is_taken_for_an_image(cache):
    """Neither half an image nor a lock; the next one to hold the lock cleans up."""
    command = [sys.executable, "-c", "from capsend.image import Image; Image().ensure()"]
    environment = os.environ | {"CAPSEND_CACHE_DIR": str(cache.parent)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as program:
        assert "building" in program.stderr.readline()
        program.send_signal(signal.SIGKILL)
    assert list_images() == []
    assert not Image().is_built
    clear_images()
    assert [path.name for path in cache.iterdir() if path.name != ".lock"] == []


def where_things_lie() -> tuple[int, list[int]]:
    settle = sys.modules["capsend_guest.snapshot"]
    last = max(id(plug) for plug in settle._plugs if plug is not None)
    return last, [id(bytes(size)) for size in (8, 100, 4_000, 100_000, 4_000_000)] + [id(object())]


def test_new_objects_lie_behind_all_that_the_image_holds() -> None:
    """Objects that a process makes are placed next to each other in the free room, so that few of the image's pages are copied for it."""
    last, made = Environment().spawn(where_things_lie).result(timeout=60)
    # Objects freed at the start of a program may be reused: one hole, instead of the image's holes.
    assert sum(place < last for place in made) <= 1, (last, made)


def where_code_lies() -> list[int]:
    runtime, rebuild = sys.modules["capsend_guest.runtime"], sys.modules["capsend_guest.rebuild"]
    program, watch = rebuild.Program, sys.modules["capsend_guest.changes"].Watch
    functions = runtime.run, runtime._answered, program.execute, program._bind, program._fill, watch.look, watch.change
    return [id(function.__code__) for function in functions]


def test_code_that_every_process_runs_lies_in_one_place() -> None:
    """The interpreter writes to the code that it runs: in one place, it writes to a few pages and not to one for each function."""
    places = Environment().spawn(where_code_lies).result(timeout=60)
    assert max(places) - min(places) < 1 << 19, places
