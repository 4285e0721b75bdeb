"""The globals that a host function reads are not sent: they stay on the host."""

from capsend import host_function, process, spawn

LOG: list[str] = []


@host_function
def note(text: str) -> int:
    LOG.append(text)
    return len(LOG)


@process
def work() -> int:
    return note("one")


def plain() -> int:
    return note("two")


def run() -> None:
    assert work.spawn().result() == 1
    assert spawn(plain).result() == 2
    assert spawn(lambda: note("three")).result() == 3
