"""Class attributes declared `PerProcess`, in every spelling, are each process's own, and may be changed there."""

from typing import ClassVar, TypeAlias

from capsend import PerProcess, spawn

Table: TypeAlias = PerProcess[dict[str, int]]


class Plain:
    table: PerProcess[dict[str, int]] = {"a": 1}


class Declared:
    table: ClassVar[PerProcess[dict[str, int]]] = {"a": 1}
    quoted: "ClassVar[PerProcess[dict[str, int]]]" = {"a": 1}
    named: ClassVar[Table] = {"a": 1}
    count: ClassVar[PerProcess[int]] = 0

    @classmethod
    def get(cls, key: str) -> int:
        cls.count += 1
        return cls.table[key]

    def own(self) -> int:
        type(self).named["b"] = 2
        return len(self.named)


class Inherits(Declared): ...


def changes() -> tuple[int, int, int]:
    Plain.table["b"] = 2
    Declared.quoted.clear()
    return len(Plain.table), len(Declared.quoted), Inherits.get("a")


def run() -> None:
    assert spawn(lambda: Plain.table["a"]).result() == 1
    assert spawn(Declared.get, "a").result() == 1
    assert spawn(Inherits.get, "a").result() == 1
    assert spawn(lambda: Inherits().own()).result() == 2
    assert spawn(changes).result() == (2, 0, 1)
    assert Declared.count == 0
    assert Plain.table == {"a": 1}
