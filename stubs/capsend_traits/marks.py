"""The three base classes of declaration files, and the mark of a global: editors read this module, the loader only uses the names."""

from typing import Annotated, TypeVar

T = TypeVar("T")
PerProcess = Annotated[T, "each process may own a copy"]


class _Mark:
    def __init_subclass__(cls, *, hidden: bool = False) -> None:
        """Accept `hidden=True`: no module has the class as an attribute."""


class ProcessSend(_Mark):
    """May be captured, and so also sent by value."""


class Serializable(_Mark):
    """May be sent by value, as a copy, but not captured."""


class Never(_Mark):
    """Has neither trait."""
