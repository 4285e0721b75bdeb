"""A Python process that supervises a parser in C: a table that makes the parser fail costs only that table, and a new parser reads the next.

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
    """The request to a parser: a table, and the address for the sum."""
    return table, (reply,)


def supervise(adding: WasmFunction, tables: tuple[bytes, ...]) -> list[str]:
    """Have each table added up, and start another parser whenever one ends; runs in a Python process."""
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
    """Return 0 if every valid table was added up."""
    with tempfile.TemporaryDirectory() as folder:
        module = WasmModule.from_file(compiled(Path(__file__).parent / "parser.c", Path(folder)))
    # The only authority of the process: to start this function.
    told = spawn(supervise, module.function("adding"), TABLES).result()
    for line in told:
        print(line)
    return 0 if sum("ended" in line for line in told) == 2 else 1


if __name__ == "__main__":
    sys.exit(main())
