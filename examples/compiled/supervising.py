"""A Python process that supervises a parser in C: what makes the parser fail costs one table, and the next is read by a new one.

Run it: `python examples/compiled/supervising.py`. It needs a C compiler: `pip install '.[guests]'`.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from build import compiled

from capsend import Address, ProcessFailed, WasmFunction, WasmModule, spawn

Request = tuple[bytes, tuple[Address[bytes], ...]]

TABLES = (
    b"tea,3\ncoffee,4\n",
    b"tea,three\n",
    b"tea,30\ncoffee,40\n",
    b"tea,9223372036854775807\ncoffee,1\n",
    b"cocoa,300\n",
)


def request(table: bytes, reply: Address[bytes]) -> Request:
    """What a parser is asked: a table, and where the sum goes."""
    return table, (reply,)


def supervise(adding: WasmFunction, tables: tuple[bytes, ...]) -> list[str]:
    """Runs in a Python process: have each table added up, and start another parser whenever one has ended."""
    told: list[str] = []
    parser = spawn(adding)
    for table in tables:
        try:
            answer = parser.call(partial(request, table), timeout=10)
        except ProcessFailed:
            told.append(f"{table!r}: the parser ended ({parser.exit_reason}); another one is started")
            parser = spawn(adding)
        else:
            told.append(f"{table!r}: {int.from_bytes(answer, 'little')}")
    return told


def main() -> int:
    """Return 0 when every good table was added up."""
    with tempfile.TemporaryDirectory() as folder:
        module = WasmModule.from_file(compiled(Path(__file__).parent / "parser.c", Path(folder)))
    # All that the process may do out here: start this one function.
    told = spawn(supervise, module.function("adding"), TABLES).result()
    for line in told:
        print(line)
    return 0 if sum("ended" in line for line in told) == 2 else 1


if __name__ == "__main__":
    sys.exit(main())
