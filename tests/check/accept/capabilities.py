"""Addresses, folders and host functions can be captured and passed: each is a right that was made to be handed on."""

import tempfile
from pathlib import Path

from capsend import Dir, HostFunction, Mailbox, spawn

SEEN: list[int] = []


def note(n: int) -> None:
    SEEN.append(n)


def length(folder: Dir) -> int:
    return len((folder / "a.txt").read_text())


def run() -> None:
    tell = HostFunction(note)
    spawn(lambda: tell(3)).result()
    assert SEEN == [3]
    with tempfile.TemporaryDirectory() as name, Mailbox[str]() as inbox:
        (Path(name) / "a.txt").write_text("abc")
        folder, answer = Dir(name), inbox.address
        assert spawn(lambda: (folder / "a.txt").read_text()).result() == "abc"
        assert spawn(length, folder).result() == 3
        spawn(lambda: answer.send("done")).result()
        assert inbox.receive(timeout=30) == "done"
