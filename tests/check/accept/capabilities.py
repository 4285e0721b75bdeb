"""Addresses, folders and host functions can be captured and passed: each is a right that was made to be handed on."""

import tempfile
from pathlib import Path

import capsend
from capsend import Address, Dir, HostFunction, Mailbox, host_function, registry, spawn

SEEN: list[int] = []


def note(n: int) -> None:
    SEEN.append(n)


@host_function
def double(n: int) -> int:
    return 2 * n


def length(folder: Dir) -> int:
    return len((folder / "a.txt").read_text())


def run() -> None:
    tell = HostFunction(note)
    spawn(lambda: tell(3)).result()
    assert SEEN == [3]
    doubled: int = spawn(lambda: double(21)).result()
    assert doubled == 42
    with tempfile.TemporaryDirectory() as name, Mailbox[str]() as inbox:
        (Path(name) / "a.txt").write_text("abc")
        folder, answer = Dir(name), inbox.address
        assert spawn(lambda: (folder / "a.txt").read_text()).result() == "abc"
        assert spawn(length, folder).result() == 3
        spawn(lambda: answer.send("done")).result()
        assert inbox.receive(timeout=30) == "done"
        registry.register("answers", answer)
        found: Address[str] | None = capsend.registry.whereis("answers")
        assert found == answer
