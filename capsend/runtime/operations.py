"""The table of host operations: a life gets it from its starter, and hands it on to its children.

Each entry is a range of numbers and the maker of the object that does the operations in it, made when the first of them is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend.codec.operations import CHILDREN
from capsend.runtime.child_operations import ChildOperations

if TYPE_CHECKING:
    from capsend.runtime.life import Operations

OPERATIONS: Final[Operations] = ((CHILDREN, ChildOperations),)
