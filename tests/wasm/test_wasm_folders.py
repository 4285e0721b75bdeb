"""Folders that modules in other languages are granted, through WASI."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import TYPE_CHECKING

import pytest
from endless import swap_file_and_pipe

from capsend import Dir, ProcessFailed, WasmModule, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20.0
NO_ENTRY, NOT_PERMITTED, TOO_LONG, TOO_MANY = 44, 63, 37, 41

PROGRAM = """
(module
  (import "capsend" "argument" (func $argument (param i32) (result i32)))
  (import "capsend" "read" (func $take (param i32 i32) (result i32)))
  (import "capsend" "describe" (func $describe (param i32 i32 i32) (result i32)))
  (import "capsend" "result" (func $result (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (func (export "capsend_abi_1"))

  ;; The path is the argument, at 1024; what is opened is kept at 512.
  (func $start (drop (call $argument (i32.const 0))) (drop (call $take (i32.const 1024) (i32.const 0))))
  (func $open_it (param $how i32) (param $rights i64) (result i32)
    (call $open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.load (i32.const 4)) (local.get $how) (local.get $rights)
      (i64.const 0) (i32.const 0) (i32.const 512)))
  (func (export "read_file") (result i32) (local $error i32)
    (call $start)
    (if (local.tee $error (call $open_it (i32.const 0) (i64.const 2))) (then (return (local.get $error))))
    (i32.store (i32.const 16) (i32.const 8192)) (i32.store (i32.const 20) (i32.const 1000))
    (if (local.tee $error (call $read (i32.load (i32.const 512)) (i32.const 16) (i32.const 1) (i32.const 24)))
      (then (return (local.get $error))))
    (call $result (i32.const 8192) (i32.load (i32.const 24))))
  (func (export "write_file") (result i32) (local $error i32)
    (call $start)
    (if (local.tee $error (call $open_it (i32.const 1) (i64.const 64))) (then (return (local.get $error))))
    (i32.store (i32.const 16) (i32.const 1024)) (i32.store (i32.const 20) (i32.load (i32.const 4)))
    (call $write (i32.load (i32.const 512)) (i32.const 16) (i32.const 1) (i32.const 24)))
  (func (export "long_path") (result i32)
    (i32.store (i32.const 4) (i32.const 100000)) (call $open_it (i32.const 0) (i64.const 2)))
  (func (export "many_files") (result i32) (local $error i32)
    (call $start)
    (loop $again
      (local.set $error (call $open_it (i32.const 0) (i64.const 2)))
      (br_if $again (i32.eqz (local.get $error))))
    (local.get $error))
  (func (export "open_again") (local $times i32)
    (call $start)
    (loop $again
      (if (i32.eqz (call $open_it (i32.const 0) (i64.const 2))) (then (drop (call $close (i32.load (i32.const 512))))))
      (br_if $again (i32.lt_u (local.tee $times (i32.add (local.get $times) (i32.const 1))) (i32.const 500)))))
  (func (export "where") (result i32)
    (call $start) (drop (call $take (i32.const 0) (i32.const 256)))
    (drop (call $result (i32.const 2048) (call $describe (i32.load (i32.const 256)) (i32.const 2048) (i32.const 200))))
    (i32.const 0)))
"""


@pytest.fixture(scope="module")
def module() -> WasmModule:
    """A module that opens what its argument says."""
    return WasmModule.from_wat(PROGRAM)


def test_a_file_in_a_granted_folder_is_read(module: WasmModule, tmp_path: Path):
    """By a path in the folder."""
    (tmp_path / "x.txt").write_text("what it holds")
    assert spawn(module.function("read_file"), b"x.txt", Dir(tmp_path)).result(PATIENCE) == b"what it holds"


def test_a_file_is_written_where_that_is_granted(module: WasmModule, tmp_path: Path):
    """And nowhere else."""
    spawn(module.function("write_file"), b"made.txt", Dir(tmp_path, write=True)).result(PATIENCE)
    assert (tmp_path / "made.txt").read_text() == "made.txt"
    with pytest.raises(ProcessFailed, match=r"exit code \d+"):
        spawn(module.function("write_file"), b"other.txt", Dir(tmp_path)).result(PATIENCE)
    assert os.listdir(tmp_path) == ["made.txt"]


@pytest.mark.parametrize("path", [b"../secret", b"/etc/passwd", b"link", b"pipe"])
def test_nothing_leads_out_of_a_folder(module: WasmModule, path: bytes, tmp_path: Path):
    """Neither `..`, nor an absolute path, nor a link; and a pipe, on which one could wait for ever, cannot be opened."""
    (tmp_path / "secret").write_text("secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(inside / "pipe")
    with pytest.raises(ProcessFailed, match=r"exit code \d+"):
        spawn(module.function("read_file"), path, Dir(inside, write=path == b"link")).result(PATIENCE)


def test_what_is_not_there_is_told(module: WasmModule, tmp_path: Path):
    """With WASI's number."""
    with pytest.raises(ProcessFailed, match=f"exit code {NO_ENTRY}$"):
        spawn(module.function("read_file"), b"missing", Dir(tmp_path)).result(PATIENCE)


def test_a_path_that_is_too_long_is_refused(module: WasmModule, tmp_path: Path):
    """Before anybody copies it."""
    with pytest.raises(ProcessFailed, match=f"exit code {TOO_LONG}$"):
        spawn(module.function("long_path"), b"", Dir(tmp_path)).result(PATIENCE)


@pytest.fixture
def few_files() -> Iterator[int]:
    """This program may open only few files, beside those that are open already; gives how many are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    already = len(os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256 + 2 * already, hard))
    yield already
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_leaves_files_for_others(module: WasmModule, tmp_path: Path, few_files: int):
    """It can open a limited number; the rest stay available to the host."""
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(ProcessFailed, match=f"exit code {TOO_MANY}$"):
        spawn(module.function("many_files"), b"x.txt", Dir(tmp_path)).result(PATIENCE)
    assert spawn(module.function("read_file"), b"x.txt", Dir(tmp_path)).result(PATIENCE) == b"x"


def test_files_are_closed_before_the_end_is_told(module: WasmModule, tmp_path: Path, few_files: int):
    """Whoever hears that a process has ended has what it had open at disposal."""
    (tmp_path / "x.txt").write_text("x")
    many, folder = module.function("many_files"), Dir(tmp_path)
    for _ in range(50):
        with contextlib.suppress(ProcessFailed):
            spawn(many, b"x.txt", folder).result(PATIENCE)
        assert len(os.listdir("/dev/fd")) < few_files + 20


def test_a_folder_says_where_it_is(module: WasmModule, tmp_path: Path):
    """`describe` gives the path inside."""
    folder = Dir(tmp_path)
    path = spawn(module.function("where"), b"", folder).result(PATIENCE)
    assert path.startswith(b"/dirs/")


def test_open_that_meets_a_pipe_after_all_goes_on(module: WasmModule, tmp_path: Path):
    """A pipe that comes between the look and the open holds a process up for a moment, not for ever."""
    (tmp_path / "plain").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    folder = Dir(tmp_path, write=True)
    with spawn(swap_file_and_pipe, folder) as swapping:
        assert spawn(module.function("open_again"), b"path", folder).result(90) == b""
        swapping.kill()
