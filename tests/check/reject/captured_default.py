"""A default is sent with the function: a mutable one is refused."""

from capsend import spawn


def f(xs: list[int]) -> None:
    def task(k: list[int] = xs) -> int:  # E: the default of parameter "k" is list[int]
        # N: Instead: give the parameter an immutable default, such as a tuple, or pass the value.
        return len(k)

    spawn(task)
    for x in (xs, xs):
        spawn(lambda x=x: len(x))  # E: the default of parameter "x"


def at_module_level(k: list[int] = []) -> int:  # E: the default of parameter "k" is list
    return len(k)


def keyword(*, k: "dict[str, int] | None" = {}) -> int:  # E: the default of parameter "k" is dict
    return len(k or ())


def spawns() -> None:
    spawn(at_module_level)
    spawn(keyword)
