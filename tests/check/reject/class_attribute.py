"""A class attribute that is reached through a class follows the rule for globals."""

from typing import ClassVar

from capsend import spawn


class Conf:
    opts: ClassVar[list[str]] = []

    @classmethod
    def size(cls) -> int:
        return len(cls.opts)  # E: class attribute "Conf.opts" is list[str], which is not ProcessSend  [capsend-global]

    def own(self) -> int:
        return len(self.opts)  # E: class attribute "Conf.opts"


def f(c: Conf) -> None:
    spawn(lambda: Conf.opts)  # E: class attribute "Conf.opts"
    spawn(Conf.size)
    spawn(c.own)
