"""A computed name of an attribute reaches those alone that begin as it does."""

from capsend import spawn

SEEN: list[str] = []


class Visitor:
    def visit_name(self) -> int:
        return 1

    def leave_name(self) -> int:
        SEEN.append("left")
        return 3

    def visit(self, kind: str) -> int:
        return int(getattr(self, f"visit_{kind}")())


def work(kind: str) -> int:
    return Visitor().visit(kind)


def run() -> None:
    assert spawn(work, "name").result() == 1
