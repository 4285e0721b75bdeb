"""Authority of processes that spawn processes: each hands down what it holds, with its rights or fewer."""

from __future__ import annotations

import contextlib
import csv
import os
import pickle
import sqlite3
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import capsend
from capsend import (
    Dir,
    Environment,
    HostFunction,
    LimitExceeded,
    Mailbox,
    PerProcess,
    WasmModule,
    spawn,
)
from tests.runtime.inside import spawn_again

PATIENCE = 60


@HostFunction
def length(text: str) -> int:
    return len(text)


def test_a_function_of_the_host_is_handed_down_by_capture_and_as_an_argument() -> None:
    """Every holder of the function can give it to its children; it still runs on the host."""

    def outer(function: HostFunction[[str], int]) -> tuple[int, int]:
        return spawn(lambda: length("abc")).result(), spawn(lambda f: f("abcd"), function).result()

    assert spawn(outer, length).result(PATIENCE) == (3, 4)


def test_a_folder_is_handed_down_with_its_rights_or_fewer(tmp_path: Path) -> None:
    """`Dir` of a folder that was given: read-only unless `write=True`, and never more than the parent may."""
    (tmp_path / "x.txt").write_text("text")

    def read(folder: Path) -> str:
        return (folder / "x.txt").read_text()

    def write(folder: Path) -> str:
        try:
            (folder / "y.txt").write_text("")
        except OSError as error:
            return type(error).__name__
        return "written"

    def outer(folder: Path) -> list[str]:
        weak, strong = Dir(folder), Dir(folder, write=True)
        captured = spawn(lambda: read(weak)).result()
        return [captured, spawn(write, weak).result(), spawn(write, strong).result()]

    assert spawn(outer, Dir(tmp_path, write=True)).result(PATIENCE) == ["text", "PermissionError", "written"]
    assert spawn(outer, Dir(tmp_path)).result(PATIENCE) == ["text", "PermissionError", "PermissionError"]


def test_a_folder_that_was_not_given_cannot_be_handed_down(tmp_path: Path) -> None:
    """Neither another path of the host nor a part of a folder makes a `Dir`."""
    (tmp_path / "sub").mkdir()

    def outer(folder: Path) -> list[str]:
        said = []
        for path in ("/", "/etc", folder / "sub", folder.parent):
            try:
                Dir(path)
            except ValueError as refusal:
                said.append(str(refusal).partition(":")[2][:20])
        return said

    assert spawn(outer, Dir(tmp_path)).result(PATIENCE) == [" only a folder that "] * 4


def test_a_path_gives_a_child_no_right_to_the_folder(tmp_path: Path) -> None:
    """A path in a process is only a name; only a `Dir` is a right."""
    (tmp_path / "x.txt").write_text("text")

    def outer(folder: Path) -> bool:
        path = str(folder)
        return spawn(lambda: Path(path, "x.txt").exists()).result()

    assert spawn(outer, Dir(tmp_path)).result(PATIENCE) is False


@pytest.fixture
def stock(tmp_path: Path) -> Dir:
    """A folder with a file in it, and one below."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "x.txt").write_text("text")
    (tmp_path / "sub" / "y, ä%.csv").write_text("1,2")
    return Dir(tmp_path)


def test_a_folder_that_is_captured_deep_below_is_there(stock: Dir) -> None:
    """The captures of a function are sent at every level, by every spawning process."""

    def read() -> str:
        return (stock / "x.txt").read_text()

    def parent() -> str:
        return spawn(read).result()

    def grandparent() -> str:
        return spawn(parent).result()

    assert spawn(grandparent).result(PATIENCE) == "text"


@dataclass
class Rights:
    place: Any
    function: HostFunction[[str], int]


class Holder:
    function: Any = length


@pytest.mark.parametrize("levels", [0, 2])
def test_rights_go_along_in_whatever_holds_them(stock: Dir, levels: int) -> None:
    """Fields, containers, defaults, class attributes and partials, as captures and as arguments, three processes deep."""
    file = stock / "x.txt"
    nested, held = (stock, (frozenset({file}), length)), Rights(stock, length)

    def by_default(place: Path = stock, function: Any = length) -> int:
        return function((place / "x.txt").read_text())

    def by_class() -> int:
        return Holder.function((stock / "x.txt").read_text())

    def by_nesting() -> int:
        return nested[1][1](next(iter(nested[1][0])).read_text())

    def by_field(rights: Rights) -> int:
        return rights.function((rights.place / "x.txt").read_text())

    ways = [(by_default, ()), (by_class, ()), (by_nesting, ()), (partial(by_default, stock), ()), (by_field, (held,))]
    assert [spawn(spawn_again, way, args, levels).result(PATIENCE) for way, args in ways] == [4] * len(ways)


def test_a_folder_inside_is_both_a_path_and_a_dir(stock: Dir, tmp_path: Path) -> None:
    """Code that takes paths accepts it, and code that checks rights recognises it."""
    books = Dir(tmp_path / "sub", write=True)

    def outer() -> list[Any]:
        with open(next(stock.glob("sub/*")), newline="") as lines:
            rows = list(csv.reader(lines))
            with contextlib.closing(sqlite3.connect(books / "db")) as database:
                one = database.execute("select 1").fetchall()
        kinds = isinstance(stock, Path), isinstance(stock, Dir), isinstance(stock, os.PathLike)
        plain = Path(str(stock)) / "sub"
        return [rows, one, kinds, stock / "sub" == plain, hash(stock / "sub") == hash(plain), stock.write]

    assert spawn(outer).result(PATIENCE) == [[["1", "2"]], [(1,)], (True, True, True), True, True, False]


def test_paths_derived_inside_carry_the_right(stock: Dir) -> None:
    """Every way that leads to a place in the folder; a child finds the same file."""
    file = stock / "sub" / "y, ä%.csv"

    def outer() -> list[tuple[bool, str]]:
        name = file.name
        ways = [
            file, stock.joinpath("sub", name), file.parent / name, file.with_name("a").with_name(name), file.with_suffix(".csv"),
            next(file.parent.iterdir()), next(stock.rglob("*.csv")), file.resolve(), file.absolute(), file.parents[1] / "sub" / name,
        ]  # fmt: skip
        return [(isinstance(way, Dir), spawn(lambda: spawn(Path.read_text, way).result()).result()) for way in ways]

    assert spawn(outer).result(PATIENCE) == [(True, "1,2")] * 10


def test_paths_that_lead_out_inside_carry_none(stock: Dir) -> None:
    """They are ordinary paths, as outside, and so is what is made from a name."""

    def outer() -> list[str]:
        out = (stock.parent, stock / "..", stock / "../x", stock / "/etc", stock / "sub" / ".." / "x.txt")
        named = (Path(str(stock)), Path(stock), (stock / "x.txt").relative_to(stock))
        return [type(path).__name__ for path in (*out, *named)]

    assert set(spawn(outer).result(PATIENCE)) == {"PosixPath"}


def test_a_folder_to_read_stays_so_beside_the_same_one_to_write(tmp_path: Path) -> None:
    """A child that is given both has a mount for each, and what it spawns has."""
    strong = Dir(tmp_path, write=True)

    def outer() -> list[str]:
        weak = Dir(strong)

        def use() -> str:
            (strong / "x").write_text("x")
            try:
                (weak / "x").write_text("y")
            except PermissionError:
                return (weak / "x").read_text() + str(weak.write)
            return "written"

        return [spawn(use).result(), spawn(lambda: spawn(use).result()).result()]

    assert spawn(outer).result(PATIENCE) == ["xFalse", "xFalse"]


def test_a_dir_in_a_message_is_refused_inside_as_outside(stock: Dir) -> None:
    """The rights of a process are fixed when it starts; the path can be sent as text. A Dir cannot be pickled either."""
    with Mailbox[Any]() as inbox:
        address = inbox.address

        def outer() -> list[str]:
            said = []
            for attempt in (lambda: address.send([stock / "x.txt"]), lambda: pickle.dumps(stock)):
                try:
                    attempt()
                except (capsend.SerializationError, TypeError) as refusal:
                    said.append(str(refusal))
            address.send(str(stock / "x.txt"))
            return said

        refusals = spawn(outer).result(PATIENCE)
        assert inbox.receive(PATIENCE).endswith("/x.txt")
    assert refusals[0].startswith(
        "message[0] cannot be sent: which folders a process may use is settled when it starts"
    )
    assert refusals[1].startswith("a Dir cannot be pickled")


def test_a_path_that_comes_back_is_a_name(stock: Dir) -> None:
    """As a result, in an exception and for a function of the host, from a child as well: it says where the file is inside, and no more."""
    kind = HostFunction(kind_of)

    def fail() -> None:
        raise ValueError(stock / "x.txt")

    def outer() -> list[Any]:
        path = spawn(lambda: [stock / "x.txt"]).result()[0]
        try:
            spawn(fail).result()
        except ValueError as error:
            raised = error.args[0]
        return [path, raised, isinstance(path, Dir), kind(stock / "x.txt"), spawn(kind, Path(stock)).result()]

    *paths, is_dir, told, told_by_child = spawn(outer).result(PATIENCE)
    assert [(type(path), path.name) for path in paths] == [(type(Path()), "x.txt")] * 2
    assert (is_dir, told, told_by_child) == (False, type(Path()).__name__, type(Path()).__name__)


def kind_of(path: Path) -> str:
    return type(path).__name__


def test_a_path_is_told_to_a_module_that_a_process_spawns(stock: Dir) -> None:
    """A process in another language learns the very path, two processes deep."""
    where = WasmModule.from_wat(WHERE).function("where")

    def outer() -> bytes:
        return spawn(lambda: spawn(where, b"", stock / "sub").result()).result()

    assert spawn(outer).result(PATIENCE).endswith(b"/sub")


WHERE = """
(module
  (import "capsend" "argument" (func $argument (param i32) (result i32)))
  (import "capsend" "read" (func $take (param i32 i32) (result i32)))
  (import "capsend" "describe" (func $describe (param i32 i32 i32) (result i32)))
  (import "capsend" "result" (func $result (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "capsend_abi_1"))
  (func (export "where") (result i32)
    (drop (call $argument (i32.const 0))) (drop (call $take (i32.const 1024) (i32.const 256)))
    (call $result (i32.const 2048) (call $describe (i32.load (i32.const 256)) (i32.const 2048) (i32.const 200)))))
"""


def test_more_paths_than_can_be_told_are_refused(stock: Dir) -> None:
    """A limit is an error that says so, before anything starts."""

    def outer() -> list[str]:
        said = []
        for paths in ([stock / f"{number:0200}" for number in range(11_000)], [stock / str(n) for n in range(10_001)]):
            try:
                spawn(len, paths)
            except LimitExceeded as refusal:
                said.append(str(refusal))
        return said

    long, many = spawn(outer).result(PATIENCE)
    assert "Give it folders rather than the paths in them" in long
    assert "too many handles" in many


def test_rights_are_charged_to_the_tree(stock: Dir) -> None:
    """The host keeps what a process says of them: many long paths are memory that the tree uses."""

    def outer() -> tuple[int, str]:
        large = Environment(memory=120 << 20)
        names = [f"{number:0200}" for number in range(9_000)]
        count = large.spawn(len, names).result()
        try:
            large.spawn(len, [stock / name for name in names])
        except LimitExceeded as refusal:
            return count, str(refusal)
        return count, "started"

    count, refusal = Environment(memory=256 << 20, tree_memory=128 << 20).spawn(outer).result(PATIENCE)
    assert count == 9_000
    assert "memory" in refusal


def test_limits_of_a_function_hold_for_all_of_a_tree() -> None:
    """Whoever is given it below counts as the one process that the host spawned; the next tree begins anew."""
    few = length.limited(calls=4)

    def leaf() -> int:
        try:
            return few("abc")
        except LimitExceeded:
            return 0

    def middle() -> list[int]:
        return [leaf(), spawn(leaf).result()]

    def outer() -> list[int]:
        return [leaf(), *spawn(middle).result(), spawn(leaf).result(), leaf(), spawn(leaf).result()]

    assert [spawn(outer).result(PATIENCE) for _ in range(2)] == [[3, 3, 3, 3, 0, 0]] * 2


NOTES: PerProcess[list[int]] = [0]


def note(depth: int) -> list[list[int]]:
    NOTES.append(depth)
    below = spawn(note, depth - 1).result() if depth else []
    return [list(NOTES), *below]


def test_a_global_of_each_process_goes_down_as_a_copy() -> None:
    """A child begins with what its parent has at that moment, and changes only its own."""
    assert spawn(note, 2).result(PATIENCE) == [[0, 2], [0, 2, 1], [0, 2, 1, 0]]
    assert NOTES == [0]
