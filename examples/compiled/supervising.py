"""A Python process that supervises a parser in C: what makes the parser fail costs one table, and the next is read by a new one.

Run it: `python examples/compiled/supervising.py`. It needs a C compiler: `pip install '.[guests]'`.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from build import compiled

from capsend import Address, Mailbox, Process, ProcessFailed, WasmModule, host_function, process, spawn
from capsend.mailbox import Down  # noqa: TC001 - what the mailbox takes is looked up when the program runs

Request = tuple[bytes, tuple[Address[bytes], ...]]

TABLES = (
    b"tea,3\ncoffee,4\n",
    b"tea,three\n",
    b"tea,30\ncoffee,40\n",
    b"tea,9223372036854775807\ncoffee,1\n",
    b"cocoa,300\n",
)

running: list[Process[bytes]] = []


@host_function
def start() -> Address[Request]:
    """Start a parser: all that the supervisor may do out here."""
    with tempfile.TemporaryDirectory() as folder:
        module = WasmModule.from_file(compiled(Path(__file__).parent / "parser.c", Path(folder)))
    running.append(spawn(module.function("adding")))
    return running[-1].address


def request(table: bytes, reply: Address[bytes]) -> Request:
    """What a parser is asked: a table, and where the sum goes."""
    return table, (reply,)


@process
def supervise(inbox: Mailbox[Down], tables: tuple[bytes, ...]) -> list[str]:
    """Runs in a Python process: have each table added up, and start another parser whenever one has ended."""
    told: list[str] = []
    parser: Address[Request] = start()
    inbox.monitor(parser)
    for table in tables:
        try:
            answer = parser.call(partial(request, table), timeout=10)
        except ProcessFailed:
            down = inbox.receive(timeout=10)
            told.append(f"{table!r}: the parser ended ({down.reason}); another one is started")
            parser = start()
            inbox.monitor(parser)
        else:
            told.append(f"{table!r}: {int.from_bytes(answer, 'little')}")
    return told


def main() -> int:
    """Return 0 when every good table was added up."""
    told = supervise.spawn(TABLES).result()
    for line in told:
        print(line)
    for each in running:
        each.kill()
    print(f"{len(running)} parsers were started")
    return 0 if len(running) == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
