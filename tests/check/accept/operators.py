"""Methods that operators call run inside, with the functions and constants that they use."""

from collections.abc import Iterator
from dataclasses import dataclass

from capsend import spawn

LIMIT = 3


def doubled(n: int) -> int:
    return n * 2


@dataclass(frozen=True)
class Numbers:
    first: int

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, doubled(LIMIT)))

    def __len__(self) -> int:
        return LIMIT

    def __getitem__(self, index: int) -> int:
        return doubled(index)

    def __contains__(self, value: object) -> bool:
        return value == doubled(LIMIT)

    def __add__(self, other: int) -> "Numbers":
        return Numbers(self.first + doubled(other))

    def __lt__(self, other: "Numbers") -> bool:
        return doubled(self.first) < doubled(other.first)

    def __bool__(self) -> bool:
        return doubled(self.first) > LIMIT

    def __call__(self) -> int:
        return doubled(self.first)

    def __format__(self, spec: str) -> str:
        return f"{doubled(self.first)}{spec}"

    def __enter__(self) -> int:
        return doubled(LIMIT)

    def __exit__(self, *_: object) -> None:
        doubled(LIMIT)


def use(one: Numbers) -> str:
    with one as entered:
        pass
    other = one + 1
    answers = [*one], len(one), one[4], 6 in one, other.first, one < other, bool(one), one(), f"{one:!}", entered
    return repr(answers)


def run() -> None:
    one = Numbers(4)
    expected = "([4, 5], 3, 8, True, 6, True, True, 8, '8!', 6)"
    assert use(one) == expected
    assert spawn(use, one).result() == expected
    assert spawn(lambda: use(one)).result() == expected
