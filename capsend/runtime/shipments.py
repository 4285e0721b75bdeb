"""Calls of functions that are not written in Python, and the rights from which such calls are made, as protocols.

WebAssembly modules implement them in `capsend.wasm`, a higher layer.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

from capsend.capabilities.handles import Grant

if TYPE_CHECKING:
    from capsend.runtime.life import Life
    from capsend.runtime.terms import Terms


class Runnable(abc.ABC):
    """A call of a function that is not written in Python, with its kind of life and its template."""

    __slots__ = ()

    name: str
    """The name of the function, for messages."""

    grants: tuple[Grant, ...]
    """The grants behind the handles of the argument."""

    @property
    @abc.abstractmethod
    def template(self) -> Any:
        """The template of the guest."""

    @property
    @abc.abstractmethod
    def kind(self) -> type[Life]:
        """The kind of life that runs the call."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Bytes of host memory that the call takes."""

    @abc.abstractmethod
    def check(self, environment: Terms) -> None:
        """Refuse an environment in which the call cannot even start."""

    @abc.abstractmethod
    def usual_memory(self, parent: Terms) -> int:
        """Return the bytes of memory of the process if its parent sets no limit."""


class _RightToModule(Grant):
    """A right that is valid only in the program that compiled the module."""

    __slots__ = ()

    @property
    def stays(self) -> str:
        """The reason why the grant cannot be given to a process on another machine."""
        return "a module stays with the program that compiled it. Instead: spawn its functions in that program"


class EntryRight(_RightToModule):
    """A right to start processes from one function."""

    __slots__ = ()

    @abc.abstractmethod
    def function(self, name: str) -> EntryRight | None:
        """Return this right if *name* is its function's name or empty; None for any other name."""

    @abc.abstractmethod
    def shipment(self, data: bytes, grants: tuple[Grant, ...]) -> Runnable:
        """Return a call of the function, with this argument and these handles."""


class ModuleRight(_RightToModule):
    """A right to start processes from any function of a module."""

    __slots__ = ()

    @abc.abstractmethod
    def function(self, name: str) -> EntryRight | None:
        """Return the right to one function; None if the module has no function of this name."""
