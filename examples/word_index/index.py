"""An index of the words in a folder tree, made by supervised workers that may read that folder and nothing else.

A file that a worker cannot process, because it is not text or far too large, ends that worker. The supervisor starts another worker, the main
program reports the file, and the work continues.

Run it: python examples/word_index/index.py docs mailbox address
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict, deque
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.progress import Progress

from capsend import Address, Dir, Environment, Mailbox, Supervisor, process
from capsend.mailbox import Down

WORKERS = 4
SUFFIXES = {".md", ".txt", ".py"}
SMALL = Environment(memory=128 << 20, timeout=None)


@attrs.frozen
class Page:
    """The number of occurrences of each word in a file."""

    path: str
    words: dict[str, int]


@attrs.frozen
class Idle:
    """A worker's request for the path of a file, with the words of the previous file."""

    worker: Address[str]
    page: Page | None = None


@process
def worker(inbox: Mailbox[str], library: Dir, desk: Address[Idle]) -> None:
    """Read the files whose paths arrive, one after the other."""
    desk.send(Idle(inbox.address))
    for path in inbox:
        text = (library / path).read_text(encoding="utf-8")
        words = Counter(re.findall(r"\w+", text.lower()))
        desk.send(Idle(inbox.address, Page(path, words)))


@attrs.define
class Index:
    """The places of words.

    Attributes:
        places: {word: {path: number of occurrences}}.
        unread: {path: the reason why it could not be read}.
    """

    places: dict[str, dict[str, int]] = attrs.field(factory=lambda: defaultdict(dict))
    unread: dict[str, str] = attrs.field(factory=dict)
    read: int = 0

    def add(self, page: Page) -> None:
        """Enter the words of a file."""
        self.read += 1
        for word, count in page.words.items():
            self.places[word][page.path] = count


def build(folder: Path, progress: Progress) -> Index:
    """Return the index of all text files in a folder and the folders in it."""
    index, library = Index(), Dir(folder)
    paths = deque(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in SUFFIXES))
    bar, total = progress.add_task("reading", total=len(paths)), len(paths)
    reading: dict[Address[Any], str] = {}
    desk = Mailbox[Idle | Down]()
    # Every file may cost one worker. If workers end for other reasons, the supervisor gives up and closes the desk, so that `build` ends.
    office = Supervisor(environment=SMALL, restarts=total + WORKERS, on_give_up=lambda _error: desk.close())
    with desk, office:
        for _ in range(WORKERS):
            office.spawn(worker, library, desk.address)
        while index.read + len(index.unread) < total:
            match desk.receive():
                case Idle(idle, page):
                    desk.monitor(idle)
                    if page is not None:
                        index.add(page)
                    reading[idle.monitor_only()] = path = paths.popleft() if paths else ""
                    if path:
                        idle.send(path)
                case Down(gone, reason, message) if path := reading.pop(gone, ""):
                    index.unread[path] = f"{reason}: {message}"
            progress.update(bar, completed=index.read + len(index.unread))
    return index


def main() -> None:
    """Index a folder and look up words, both from the command line."""
    folder, *words = sys.argv[1:] or ["docs"]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        index = build(Path(folder).resolve(), progress)
    print(f"{index.read} files, {len(index.places)} words")
    for path, reason in sorted(index.unread.items()):
        print(f"could not read {path}: {reason[:100]}")
    for word in words:
        places = Counter(index.places.get(word, {}))
        print(f"{word}: " + (", ".join(f"{path} ({count})" for path, count in places.most_common(5)) or "nowhere"))


if __name__ == "__main__":
    main()
