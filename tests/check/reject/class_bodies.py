"""The callables in a class body are followed where they run: factories and converters when an instance is made, accessors when they are used."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import attrs
from capsend import spawn

CACHE: dict[str, int] = {}


def fill() -> None:
    CACHE["a"] = 1


def counted() -> int:
    return len(CACHE)  # E: global "CACHE"


def made() -> Callable[[object], int]:
    return [lambda self: len(CACHE)][0]


@dataclass
class ByLambda:
    n: int = field(default_factory=lambda: len(CACHE))  # E: global "CACHE"


@dataclass
class ByName:
    n: int = field(default_factory=counted)


@attrs.define
class Factory:
    n: int = attrs.Factory(lambda: len(CACHE))  # E: global "CACHE"


@attrs.define
class Converter:
    n: int = attrs.field(default=attrs.Factory(lambda: len(CACHE)))  # E: global "CACHE"


@attrs.define
class Default:
    n: int = attrs.field()

    @n.default
    def _n(self) -> int:
        return len(CACHE)  # E: global "CACHE"


class Accessors:
    size = property(lambda self: len(CACHE))  # E: global "CACHE"
    kept = functools.cached_property(lambda self: len(CACHE))  # E: global "CACHE"
    static = staticmethod(lambda: len(CACHE))  # E: global "CACHE"
    unknown = made()

    def method(self) -> int:
        return len(CACHE)  # E: global "CACHE"

    renamed = method


def f() -> None:
    spawn(lambda: ByLambda().n)
    spawn(lambda: ByName().n)
    spawn(lambda: Factory().n)
    spawn(lambda: Converter().n)
    spawn(lambda: Default().n)
    spawn(lambda: Accessors().size)
    spawn(lambda: Accessors().kept)
    spawn(lambda: Accessors.static())
    spawn(lambda: Accessors().renamed())
    spawn(lambda: Accessors().unknown())  # E: whose captures are unknown  [capsend-opaque]
