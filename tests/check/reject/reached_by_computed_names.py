"""A computed attribute name with a constant prefix counts as all attributes with that prefix, of every class in question."""

from capsend import spawn

SEEN: list[str] = []


class Visitor:
    def visit_name(self) -> int:
        return 1

    def visit_call(self) -> int:
        SEEN.append("call")  # E: global "SEEN" is list[str]
        return 2

    def leave_call(self) -> int:
        SEEN.append("left")
        return 3

    def visit(self, kind: str) -> int:
        return int(getattr(self, f"visit_{kind}")())


class Careful:
    def emit_call(self) -> int:
        return 1

    def emit(self, kind: str) -> int:
        return int(getattr(self, "emit_%s" % kind)())


class Careless(Careful):
    def emit_call(self) -> int:
        SEEN.append("call")  # E: global "SEEN" is list[str]
        return 2


class Shape:
    def draw_line(self) -> int:
        SEEN.append("line")  # E: global "SEEN" is list[str]
        return 2


def by_receiver(kind: str) -> int:
    return Visitor().visit(kind)


def by_base(kind: str) -> int:
    return Careless().emit(kind)


def in_a_loop(kind: str) -> int:
    return sum(int(getattr(shape, "draw_" + kind)()) for shape in [Shape()])


spawn(by_receiver, "call")
spawn(by_base, "call")
spawn(in_a_loop, "line")
