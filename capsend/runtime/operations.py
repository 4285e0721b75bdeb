"""The table of host operations, which a life gets from its starter and gives to its children.

Each entry has a range of numbers and the maker of the object that does these operations; the object is made at the
first of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend.codec.operations import CHILDREN
from capsend.runtime.child_operations import ChildOperations

if TYPE_CHECKING:
    from capsend.runtime.life import Operations

OPERATIONS: Final[Operations] = ((CHILDREN, ChildOperations),)
