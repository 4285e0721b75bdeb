"""Snapshots in files: saved by one program and loaded by another, with an untrusted author."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsend import (
    CapsendError,
    Dir,
    Environment,
    Image,
    MemoryLimitExceeded,
    Record,
    Session,
    Snapshot,
    SnapshotError,
    host_function,
)
from capsend.session import snapshot_file
from tests.memory import resident

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 30.0
LIMITED = Environment(timeout=PATIENCE)
HEAD = struct.Struct("<16sI32sQQQII")
RUN = struct.Struct("<QQ")
PAGE = 4096


@attrs.define
class Basket:
    """A class of the host's that goes in and out."""

    prices: list[int]


@host_function
def shout(text: str) -> str:
    """A function of the host's."""
    return text.upper()


@host_function
def whisper(text: str) -> str:
    """Another one."""
    return text.lower()


@pytest.fixture(scope="module")
def saved(template, tmp_path_factory) -> Path:
    """A snapshot of a session with some state."""
    path = tmp_path_factory.mktemp("saved") / "state.snapshot"
    with Session(LIMITED, shout=shout, basket=Basket([1])) as live:
        live.run("xs = [str(i) for i in range(50_000)]\ndef broken(): return 1 / 0")
        live.run("class Bill:\n    def __init__(self): self.total = 3\nbill = Bill()")
        live.snapshot().save(path)
    return path


# --- what comes back ---


def test_another_program_goes_on_from_a_file(tmp_path, run_script) -> None:
    """With all variables, and the text of its cells in tracebacks."""
    made = run_script(f"""
        import capsend
        with capsend.Session() as session:
            session.run("xs = [1, 2]\\ndef total(): return sum(xs) / zero")
            session.snapshot().save({str(tmp_path / "state")!r})
        """)
    assert made.returncode == 0, made.stderr
    with Snapshot.load(tmp_path / "state", LIMITED, zero=0).start() as live:
        assert live.run("xs.append(3)\nlen(xs)") == 3
        outcome = live.execute("total()")
        assert "<cell 3>" in outcome.traceback
        assert "def total(): return sum(xs) / zero" in outcome.traceback
        live["zero"] = 2
        assert live.run("total()") == 3


def test_loaded_snapshot_starts_any_number_of_sessions(saved: Path) -> None:
    """They can be copied, saved, interrupted and limited like any session."""
    snapshot = Snapshot.load(saved, LIMITED)
    made = [snapshot.start() for _ in range(3)]
    for number, each in enumerate(made):
        each.run(f"xs[0] = {number}\nimport random")
    assert [each.run("xs[0], len(xs)") for each in made] == [(number, 50_000) for number in range(3)]
    assert len({each.run("random.random()") for each in made}) == 3
    with made[1].fork() as other:
        assert other.run("xs[0]") == 1
        other.snapshot().save(saved.with_name("again"))
    with Snapshot.load(saved.with_name("again"), LIMITED).start() as again:
        assert isinstance(again.execute("while True: pass", timeout=0.2).error, TimeoutError)
        assert again.run("xs[0]") == 1


def test_loaded_session_has_no_capability_but_those_it_is_given(saved: Path) -> None:
    """A handle of the program that saved it means nothing, whatever numbers the new ones have."""
    with Snapshot.load(saved, LIMITED, whisper=whisper).start() as live:
        assert live.run("whisper('A')") == "a"
        assert "no such function" in str(live.execute("shout('a')").error)
        live["shout"] = shout
        assert live.run("shout('a')") == "A"


def test_instances_of_classes_that_this_program_never_sent_are_records(saved: Path) -> None:
    """As those of the session's own classes; classes that are sent anew come back as themselves."""
    with Snapshot.load(saved, LIMITED, other=Basket([2])).start() as live:
        basket, bill = live["basket"], live["bill"]
        assert (type(basket), basket.name, basket.fields) == (Record, "Basket", {"prices": [1]})
        assert (type(bill), bill.name, bill.fields) == (Record, "Bill", {"total": 3})
        assert live["other"] == Basket([2])
        live["third"] = Basket([3])
        assert live.run("[type(third) is type(other), type(third) is type(basket)]") == [True, False]


def test_fork_numbers_its_cells_after_those_of_its_origin() -> None:
    """So that tracebacks show the right lines."""
    with Session(LIMITED) as live:
        live.run("def f():\n    return 1 / 0")
        with live.fork() as other:
            other.run("x = 1\ny = 2")
            assert "    return 1 / 0" in other.execute("f()").traceback


# --- the file ---


def test_file_is_private_and_replaced_when_complete(saved: Path, tmp_path: Path) -> None:
    """Only this user can read the file, and readers never see half of it."""
    path = tmp_path / "state"
    path.write_text("older")
    Snapshot.load(saved, LIMITED).save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == saved.read_bytes()
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError):
        Snapshot.load(saved, LIMITED).save(tmp_path / "missing" / "state")


def test_session_with_a_folder_is_not_saved(tmp_path: Path) -> None:
    """As it cannot be copied."""
    with Session(LIMITED, folder=Dir(tmp_path)) as live, pytest.raises(CapsendError, match="Dir"):
        live.snapshot()


def changed(data: bytes, where: int, what: bytes) -> bytes:
    return data[:where] + what + data[where + len(what) :]


def signed(data: bytes) -> bytes:
    """Return a file with the right digest, as an attacker writes it."""
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


def head(data: bytes, **fields: int) -> bytes:
    """Return a file with other numbers in its head."""
    names = ("magic", "form", "image", "size", "handle", "cell", "runs", "texts")
    values = dict(zip(names, HEAD.unpack_from(data), strict=True)) | fields
    return signed(HEAD.pack(*values.values()) + data[HEAD.size :])


def texts(data: bytes, text: bytes) -> bytes:
    """Return a file with other texts."""
    *_, runs, length = HEAD.unpack_from(data)
    start = HEAD.size + RUN.size * runs
    return head(data[:start] + text + data[start + length :], texts=len(text))


FORGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "not a snapshot"),
    "another kind of file": (lambda data: b"\x89PNG" + data, "not a snapshot"),
    "beginning only": (lambda data: data[:30], "not complete"),
    "head only": (lambda data: data[: HEAD.size], "not complete"),
    "cut": (lambda data: data[:-1], "its length is not the one that it states"),
    "longer": (lambda data: data + b"x", "its length is not the one that it states"),
    "another version": (lambda data: head(data, form=2), "another version of capsend"),
    "another image": (lambda data: signed(changed(data, 20, b"\0" * 32)), "another image.*same packages"),
    "changed page": (lambda data: changed(data, len(data) - 5000, b"changed"), "changed since"),
    "runs without end": (lambda data: head(data, runs=0xFFFFFFFF), "out of bounds"),
    "texts without end": (lambda data: head(data, texts=0xFFFFFFFF), "out of bounds"),
    "handle beyond all numbers": (lambda data: head(data, handle=1 << 63), "out of bounds"),
    "memory of no pages": (lambda data: head(data, size=0), "out of bounds"),
    "memory that ends before its pages": (lambda data: head(data, size=PAGE * HEAD.unpack_from(data)[6]), "not within its memory"),
    "memory of half a page": (lambda data: head(data, size=HEAD.unpack_from(data)[3] + 1), "not within its memory"),
    "run at no page": (lambda data: signed(changed(data, HEAD.size, RUN.pack(1, PAGE))), "its length is not the one that it states|not in order"),
    "first run behind all others": (
        lambda data: signed(changed(data, HEAD.size, struct.pack("<Q", 1 << 40))), "not in order",
    ),
    "runs beyond the addresses": (
        lambda data: signed(changed(data, HEAD.size, struct.pack("<Q", (1 << 64) - PAGE))), "not in order",
    ),
    "name of a file of the host": (lambda data: texts(data, b'{"%s":"x"}' % __file__.encode()), "not those of cells"),
    "texts that are no texts": (lambda data: texts(data, b'{"<cell 1>":1}'), "not those of cells"),
    "texts that are no JSON": (lambda data: texts(data, b"{"), "damaged"),
    "texts that are not ASCII": (lambda data: texts(data, b"\xff"), "damaged"),
    "texts nested without end": (lambda data: texts(data, b"[" * 1_000_000), "damaged"),
    "more texts than cells": (
        lambda data: texts(data, b"{%s}" % b",".join(b'"<cell %d>":""' % n for n in range(51))), "not those of cells",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
def test_file_that_is_no_snapshot_is_refused_with_its_reason(case: str, saved: Path, tmp_path: Path) -> None:
    """Damaged, cut, foreign or forged."""
    forge, reason = FORGED[case]
    (tmp_path / "forged").write_bytes(forge(saved.read_bytes()))
    with pytest.raises(SnapshotError, match=reason):
        Snapshot.load(tmp_path / "forged", LIMITED)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """Nothing waits for the other end of a pipe."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SnapshotError, match="not a file"):
        Snapshot.load(tmp_path / "pipe", LIMITED)
    with pytest.raises(SnapshotError, match="not a file"):
        Snapshot.load("/dev/zero", LIMITED)
    with pytest.raises(FileNotFoundError):
        Snapshot.load(tmp_path / "missing", LIMITED)


def test_snapshot_of_another_image_is_refused(saved: Path) -> None:
    """The digest of the image is compared."""
    contents = snapshot_file.read(saved, image=Image().record.digest, memory=1 << 30)
    assert contents.image == Image().record.digest
    with pytest.raises(SnapshotError, match="another image"):
        snapshot_file.read(saved, image=hashlib.sha256().hexdigest(), memory=1 << 30)


def test_sizes_are_checked_before_memory_is_taken(saved: Path, tmp_path: Path) -> None:
    """The limit is that of the environment, for what the host takes as well."""
    path = tmp_path / "vast"
    with path.open("wb") as file:
        file.write(HEAD.pack(b"capsend snapshot", 1, bytes.fromhex(Image().record.digest), 1 << 32, 0, 1, 1, 2))
        file.write(RUN.pack(0, 1 << 32) + b"{}")
        file.truncate(HEAD.size + RUN.size + 2 + (1 << 32) + 32)
    before = resident()
    with pytest.raises(MemoryLimitExceeded, match="Allow more"):
        Snapshot.load(path, LIMITED)
    assert resident() - before < 16 << 20
    path.write_bytes(head(saved.read_bytes(), size=65 << 20))
    small = Environment(memory=64 << 20)
    with pytest.raises(MemoryLimitExceeded):
        Snapshot.load(path, small)
    with pytest.raises(MemoryLimitExceeded):
        Snapshot.load(path, LIMITED).start(small)


def works_or_fails(path: Path) -> None:
    """Load a file, and use its session: each step has a value, or a CapsendError, or what the guest raised, in time."""
    limits = Environment(
        timeout=1, memory=256 << 20, output=64 << 10, result=1 << 20, processes=0, stdout=None, stderr=None
    )
    with contextlib.suppress(CapsendError):
        snapshot = Snapshot.load(path, limits, shout=shout, basket=Basket([1]))
        with snapshot.start() as live:
            for cell in ("len(xs)", "shout('a')", "[i for i in range(1000)]", "x = 1\nx", "broken()"):
                error = live.execute(cell).error
                assert error is None or isinstance(error, Exception)
            with contextlib.suppress(Exception):
                live.names()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_file_with_any_bytes_is_an_error_or_a_hostile_guest(data: st.DataObject, saved: Path, tmp_path: Path) -> None:
    """Head, runs, texts and pages changed at will, with a right digest: the host and other sessions go on."""
    content = saved.read_bytes()
    *_, runs, length = HEAD.unpack_from(content)
    pages = HEAD.size + RUN.size * runs + length
    places = st.one_of(
        st.integers(0, HEAD.size - 1),
        st.integers(HEAD.size, pages - 1),
        st.integers(pages, min(pages + (4 << 20), len(content) - 33)),
        st.integers(pages, len(content) - 33),
    )
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(places)
        size = data.draw(st.sampled_from([1, 4, 64, PAGE, 64 * PAGE]))
        what = data.draw(st.sampled_from([b"\0", b"\xff", b"\x01\x00\x00\x00", None]))
        piece = os.urandom(size) if what is None else (what * size)[:size]
        content = changed(content, place, piece[: len(content) - 32 - place])
    (tmp_path / "forged").write_bytes(signed(content))
    works_or_fails(tmp_path / "forged")
    with Snapshot.load(saved, LIMITED).start() as live:
        assert live.run("len(xs)") == 50_000


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(place: float, bit: int, saved: Path, tmp_path: Path) -> None:
    """By the digest, if by nothing else."""
    content = bytearray(saved.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (tmp_path / "flipped").write_bytes(content)
    with pytest.raises((SnapshotError, MemoryLimitExceeded)):
        Snapshot.load(tmp_path / "flipped", LIMITED)
