"""Objects that a function reaches by a constant text count as if they were named."""

import operator
import sys

from capsend import spawn

NAME = "se" + "en"


class Stats:
    rows: list[int] = []
    seen: int = 0

    def count(self) -> int:
        return len(self.rows)  # E: class attribute "Stats.rows" is list[int]


def fill() -> None:
    Stats.rows.append(1)
    TABLE["a"] = 1


TABLE: dict[str, int] = {}


def looks_up() -> int:
    return len(getattr(Stats, "rows", ()))  # E: class attribute "Stats.rows" is list[int]


def asks() -> bool:
    return hasattr(Stats, "rows")  # E: class attribute "Stats.rows" is list[int]


def by_instance() -> int:
    return int(getattr(Stats(), "count")())


def by_library() -> int:
    return len(operator.attrgetter("rows")(Stats))  # E: class attribute "Stats.rows" is list[int]


def by_namespace() -> int:
    return len(vars(Stats)["rows"])  # E: class attribute "Stats.rows" is list[int]


def by_globals() -> int:
    return len(globals().get("TABLE", ()))  # E: global "TABLE" is dict[str, int]


def by_modules() -> int:
    return len(sys.modules[__name__].TABLE)  # E: global "TABLE" is dict[str, int]


def writes_computed() -> None:
    setattr(Stats, NAME, 4)  # E: "Stats...." is assigned in writes_computed


def writes_in_namespace() -> None:
    operator.__dict__["add"] = 3  # E: "operator.add" is assigned in writes_in_namespace


spawn(looks_up)
spawn(asks)
spawn(by_instance)
spawn(by_library)
spawn(by_namespace)
spawn(by_globals)
spawn(by_modules)
spawn(writes_computed)
spawn(writes_in_namespace)
