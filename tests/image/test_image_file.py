"""Files of images: portable, checked before anything of them is compiled, and compiled under the rules of the cache."""

import hashlib
import json
import os
import re
import shutil
import struct
import zlib
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsend.environment import Environment
from capsend.exceptions import ImageError
from capsend.image import Image, bake, image, image_file
from capsend.image.image import list_images

START = struct.Struct("<16sII")


@pytest.fixture
def file(tmp_path) -> Path:
    """A file whose component is no WebAssembly: nothing that looks at the file alone knows."""
    return written(tmp_path / "image", b"not a component" * 1000)


def written(path: Path, component: bytes, **changes: object) -> Path:
    """Write a file as another installation might."""
    source = path.with_suffix(".wasm")
    source.write_bytes(component)
    facts = {"guest": image._guest(), "python": "3.14.0", "packages": ("attrs 25.1",), "modules": frozenset({"json"})}
    image_file.write(path, source, **facts | changes)
    return path


def forged(path: Path, target: Path, **changes: object) -> Path:
    """Write a copy with other facts in its head; a fact that is None goes."""
    data = path.read_bytes()
    magic, form, length = START.unpack(data[: START.size])
    facts = json.loads(data[START.size : START.size + length]) | changes
    head = json.dumps({name: value for name, value in facts.items() if value is not None}).encode()
    target.write_bytes(START.pack(magic, form, len(head)) + head + data[START.size + length :])
    return target


# --- the file serves another machine ---


@pytest.mark.skipif(
    "CAPSEND_IMAGE_FILE" not in os.environ, reason="the long form: capsend image build --output makes the file"
)
def test_an_image_from_a_file_runs_without_being_built(tmp_path, monkeypatch):
    """A machine with an empty cache compiles it, and makes no component; its processes answer like others, and the cache is used again."""
    path = Path(shutil.copy(os.environ["CAPSEND_IMAGE_FILE"], tmp_path / "image"))
    digest = Image.from_file(path).file.digest
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(bake, "assemble_component", None)
    ready = Image.from_file(path, digest=digest)
    assert not ready.is_built
    assert Environment(image=ready).spawn(pow, 2, 10).result() == 1024
    assert ready.modules == ready.file.modules
    assert ready.record.file == digest
    assert ready.record.unmerged == ""
    (stored,) = list_images()
    assert stored.path == ready.path.parent
    path.unlink()
    image._templates.clear()
    assert Environment(image=ready).spawn(pow, 3, 2).result() == 9


def test_the_digest_names_the_whole_content(tmp_path):
    """The digest that the writer returns is taken, and no other; equal files are equal images, with one place in the cache."""
    source = tmp_path / "c"
    source.write_bytes(b"x" * 1000)
    facts = {"guest": image._guest(), "python": "3.14.0", "packages": (), "modules": frozenset({"json"})}
    digest = image_file.write(tmp_path / "a", source, **facts)
    assert image_file.write(tmp_path / "b", source, **facts) == digest
    first, second = Image.from_file(tmp_path / "a", digest=digest), Image.from_file(tmp_path / "b")
    assert first == second
    assert first.path == second.path != Image().path
    with pytest.raises(ImageError, match=f"its digest is {digest}, not {'0' * 64}"):
        Image.from_file(tmp_path / "a", digest="0" * 64)
    with pytest.raises(ImageError, match="digest must be the 64 hexadecimal digits"):
        Image.from_file(tmp_path / "a", digest=digest.upper())


def test_reading_looks_at_nothing_but_the_head(file):
    """A program that starts reads a few kilobytes; whether a module is there is known without compiling."""
    ready = Image.from_file(file)
    assert ready.knows("json")
    assert not ready.knows("sqlite3")
    assert not ready.is_built


def test_packages_of_a_file_are_not_built(tmp_path, monkeypatch):
    """The file has them already; the machine may have neither a compiler nor a network."""
    source = tmp_path / "c"
    source.write_bytes(b"x" * 1000)
    facts = {"guest": image._guest(), "python": "3.14.0", "packages": ("numpy 2.4.6",), "modules": frozenset({"json"})}
    image_file.write(tmp_path / "a", source, **facts)
    asked = []
    monkeypatch.setattr(image, "provide", asked.append)
    ready = Image.from_file(tmp_path / "a")
    assert ready.packages == ("numpy",)
    with pytest.raises(ImageError):
        ready.ensure()
    assert asked == []


# --- a file may be anything ---


def test_a_component_that_is_none_is_refused_and_nothing_of_it_is_kept(file, tmp_path, monkeypatch):
    """Wasmtime compiles it or does not; no half of it stays in the cache."""
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(ImageError, match="the image could not be built"):
        Image.from_file(file).ensure()
    assert list_images() == []
    assert [path.name for path in (tmp_path / "cache" / "images").iterdir()] == [".lock"]


def test_machine_code_is_no_component(tmp_path, monkeypatch, template):
    """The compiled form of an image, put into a file as its component, is not loaded."""
    monkeypatch.setenv("CAPSEND_MERGE", "0")
    path = written(tmp_path / "image", b"\x7fELF" + bytes(1000))
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(ImageError, match="the image could not be built"):
        Image.from_file(path).ensure()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"guest": "0" * 64}, "was made by another version of capsend"),
        ({"guest": "../../etc"}, "its head cannot be read"),
        ({"size": 1 << 40}, "its head cannot be read"),
        ({"size": True}, "its head cannot be read"),
        ({"stored": -1}, "its head cannot be read"),
        ({"stored": 5}, "it is not as long as it says"),
        ({"modules": {"json": 1}}, "its head cannot be read"),
        ({"modules": ["json\x1b[2J"]}, "its head cannot be read"),
        ({"packages": ["a/../../b"]}, "its head cannot be read"),
        ({"python": None}, "its head cannot be read"),
        ({"more": 1}, "its head cannot be read"),
    ],
)
def test_a_head_with_other_facts_is_refused(file, tmp_path, changes, reason):
    """Each fact has its class, its bounds and its letters."""
    with pytest.raises(ImageError, match=reason):
        Image.from_file(forged(file, tmp_path / "forged", **changes))


def test_a_bomb_is_not_unpacked(tmp_path):
    """Not more is inflated than the head promises, and one part beyond."""
    source = tmp_path / "image.wasm"
    source.write_bytes(bytes(1 << 26))
    path = tmp_path / "image"
    image_file.write(path, source, guest=image._guest(), python="3.14.0", packages=(), modules=frozenset())
    small = image_file.read(forged(path, tmp_path / "bomb", size=1000))
    with pytest.raises(ImageError, match="its component has changed"):
        small.unpack(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_component_that_was_changed_is_noticed(file, tmp_path):
    """Also where the change is valid in itself: same size, another content."""
    data = file.read_bytes()
    packed = zlib.compress(b"NOT a component" * 1000)
    _, _, length = START.unpack(data[: START.size])
    changed = tmp_path / "changed"
    changed.write_bytes(data[: START.size + length] + packed)
    with pytest.raises(ImageError, match=r"its component has changed|not as long"):
        image_file.read(forged(changed, tmp_path / "again", stored=len(packed))).unpack(tmp_path / "out")


def test_a_file_that_changes_after_it_was_opened_is_not_compiled(file, tmp_path):
    """The digest that was looked at first decides."""
    opened = image_file.read(file)
    written(file, b"something else")
    with pytest.raises(ImageError, match="not the image that was asked for"):
        opened.unpack(tmp_path / "out")


@settings(max_examples=30)
@given(place=st.integers(0, 1 << 16), bit=st.integers(0, 7), cut=st.booleans())
def test_any_flipped_bit_and_any_cut_is_noticed(tmp_path_factory, place, bit, cut):
    """Whatever accident befalls a file, it is an ImageError, when it is opened with its digest or unpacked."""
    folder = tmp_path_factory.mktemp("bits")
    path = written(folder / "image", os.urandom(300))
    digest, data = image_file.read(path).digest, bytearray(path.read_bytes())
    if cut:
        del data[place % len(data) :]
    else:
        data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(ImageError):
        image_file.read(path, digest=digest).unpack(folder / "out")


@settings(max_examples=30)
@given(rest=st.binary(max_size=300), length=st.integers(0, (1 << 32) - 1))
def test_any_bytes_are_an_error(tmp_path_factory, rest, length):
    """A start that is right, and anything behind it."""
    path = tmp_path_factory.mktemp("any") / "image"
    path.write_bytes(START.pack(image_file._MAGIC, 1, length) + rest)
    with pytest.raises(ImageError):
        image_file.read(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    """A folder, a pipe without a writer, a device, and a missing file."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "nothing"):
        with pytest.raises(ImageError, match=r"is not a file|cannot be read"):
            Image.from_file(path)


def test_a_file_that_others_can_write_needs_a_digest(file):
    """An image controls the results of functions: it must belong to the user or the system, or its digest must be known."""
    digest = Image.from_file(file).file.digest
    file.chmod(0o666)
    with pytest.raises(ImageError, match=re.escape("Image.from_file(path, digest=...)")):
        Image.from_file(file)
    assert Image.from_file(file, digest=digest).file.digest == digest


def test_an_image_of_a_file_is_not_written_again(file):
    """The file is there already: it can be copied."""
    with pytest.raises(ImageError, match="copy"):
        Image.from_file(file).to_file(file.with_suffix(".2"))


def test_an_image_that_never_answers_is_given_up(file, tmp_path, monkeypatch):
    """Compiling and trying the component of a file have a limit; the error says so."""
    monkeypatch.setattr(bake, "FILE_SECONDS", 0.05)
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(ImageError, match="takes longer than 0 s"):
        Image.from_file(file).ensure()
    assert list_images() == []


def test_facts_of_the_file_are_no_values_of_the_image_in_a_process(file):
    """`Image` is a value: its file can be compared and replaced, not given to the constructor."""
    ready = Image.from_file(file)
    assert attrs.asdict(Image())["file"] is None
    assert hashlib.sha256(file.read_bytes()[: ready.file.start]).hexdigest() == ready.file.digest
    with pytest.raises(TypeError):
        Image(file=ready.file)
