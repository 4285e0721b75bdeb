"""A class that a function makes runs what its bases, its metaclass and the values in its body define for that."""

from capsend import spawn

NAMES: list[str] = []


class Base:
    def __init_subclass__(cls) -> None:
        NAMES.append(cls.__name__)  # E: global "NAMES" is list[str]


class Meta(type):
    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, object]) -> "Meta":
        NAMES.append(name)  # E: global "NAMES" is list[str]
        return super().__new__(mcs, name, bases, space)


class Made(metaclass=Meta):
    pass


class Field:
    def __set_name__(self, owner: type, name: str) -> None:
        NAMES.append(name)  # E: global "NAMES" is list[str]


def by_base() -> None:
    class Sub(Base):
        pass


def by_metaclass() -> None:
    class Sub(Made):
        pass


def by_field() -> None:
    class Sub:
        field = Field()


def by_type() -> None:
    type("Sub", (Base,), {})


spawn(by_base)
spawn(by_metaclass)
spawn(by_field)
