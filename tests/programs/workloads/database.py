"""SQL in memory: tables, user functions, aggregates, transactions and errors."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass

SCHEMA = """
    CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE book (id INTEGER PRIMARY KEY, author INTEGER REFERENCES author, title TEXT, price REAL, cover BLOB);
    CREATE INDEX by_author ON book (author);
"""


@dataclass(frozen=True)
class Book:
    """One row."""

    author: int
    title: str
    price: float | None
    cover: bytes


class Deviation:
    """An aggregate: the standard deviation."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, value: float | None) -> None:
        if value is not None:
            self.values.append(value)

    def finalize(self) -> float:
        mean = math.fsum(self.values) / len(self.values)
        return round(math.sqrt(math.fsum((v - mean) ** 2 for v in self.values) / len(self.values)), 9)


class Library:
    """A database of books."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript(SCHEMA)
        self.connection.create_function("initials", 1, initials, deterministic=True)
        self.connection.create_aggregate("deviation", 1, Deviation)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        cursor = self.connection.cursor()
        try:
            yield cursor
        except sqlite3.Error:
            self.connection.rollback()
            raise
        else:
            self.connection.commit()

    def fill(self, authors: int) -> None:
        with self.transaction() as cursor:
            for number in range(authors):
                cursor.execute("INSERT INTO author VALUES (?, ?)", (number, f"Ann Other {number}"))
                books = [
                    Book(number, f"Title {n}", None if n % 5 == 4 else n * 1.25, bytes([n])) for n in range(number % 6)
                ]
                cursor.executemany(
                    "INSERT INTO book (author, title, price, cover) VALUES (?, ?, ?, ?)", map(astuple, books)
                )

    def query(self, sql: str, *arguments: object) -> list[dict[str, object]]:
        return [dict(row) for row in self.connection.execute(sql, arguments)]


def initials(name: str) -> str:
    """The first letters of a name."""
    return "".join(word[0] for word in name.split())


REPORT = """
    SELECT name, initials(name) AS short, count(book.id) AS books, deviation(price) AS spread, group_concat(title, '; ') AS titles
    FROM author JOIN book ON book.author = author.id WHERE price < ? GROUP BY author.id ORDER BY books DESC, name LIMIT 10
"""


def run(authors: int = 50) -> tuple[list[dict[str, object]], list[dict[str, object]], str]:
    """Return a report, the covers, and the error of a row that may not be."""
    library = Library()
    library.fill(authors)
    error = ""
    try:
        with library.transaction() as cursor:
            cursor.execute("DELETE FROM book")
            cursor.execute("INSERT INTO author (name) VALUES ('Ann Other 1')")
    except sqlite3.IntegrityError as failure:
        error = str(failure)
    covers = library.query("SELECT DISTINCT cover FROM book ORDER BY cover")
    return library.query(REPORT, 100.0), covers, error
