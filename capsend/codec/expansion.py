"""The length of the text that would show a message's values, where a part that is held twice is shown twice.

A few lists that hold each other twice make an endless tree: to show such a value, as a traceback shows an exception,
would never end.
"""

from __future__ import annotations

import gc
import types
from typing import TYPE_CHECKING, Any, Final

from capsend.codec.depth import Components, parts_of
from capsend.codec.limits import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.codec.limits import Budget

_ATOM: Final = 8
_BLOBS: Final = frozenset("bBuLUqQ")


def expansion(nodes: list[Any], budget: Budget, *, most: int, of_external: Callable[[Any], int]) -> int:
    """Return the approximate number of characters that show the value of a message, its last node.

    Args:
        nodes: the nodes of the message; malformed ones are tolerated.
        budget: pays for the search.
        most: the largest acceptable number.
        of_external: returns the number for a reference to an object that is not in the message.

    Raises:
        Malformed: the number exceeds *most*, or parts contain each other in several ways.
    """
    search = _Expansions(nodes, budget, most, of_external)
    search.visit(len(nodes) - 1)
    return search.of_last()


class _Expansions(Components):
    def __init__(self, nodes: list[Any], budget: Budget, most: int, of_external: Callable[[Any], int]) -> None:
        super().__init__(nodes, budget)
        self._most = most
        self._of_external = of_external

    def of_last(self) -> int:
        """Return the number of the last node."""
        return self._measures[-1]

    def measure(self, members: list[int], inside: set[int]) -> int:
        """Return the number of characters."""
        total, returns = 0, 0
        for index in members:
            total += self._own(self._nodes[index])
            for part in parts_of(self._nodes[index], len(self._nodes)):
                if part in inside:
                    returns += 1
                else:
                    total += self._measures[part]
            if total > self._most:
                raise Malformed(f"a value that takes more than {self._most} characters to show")
        if returns > len(members):
            raise Malformed("a value whose parts contain each other in several ways: nobody could show it")
        return total

    def _own(self, node: Any) -> int:
        if type(node) is not list or not node:
            return _ATOM
        if node[0] == "x":
            return _ATOM + (self._of_external(node[1]) if len(node) > 1 else 0)
        items = node[1:]
        if items and type(items[-1]) is dict:
            items = [*items[:-1], *items[-1], *items[-1].values()]
        size = 4 * node[1] if node[0] in _BLOBS and len(node) > 1 and type(node[1]) is int else 0
        return size + sum(map(_length, items)) + _ATOM


def _length(item: Any) -> int:
    if type(item) is str:
        return len(item) + _ATOM
    return _ATOM + (item.bit_length() // 3 if type(item) is int else 0)


_ENDLESS: Final = 1 << 60
_FEW: Final = 4
_NO_PARTS: Final = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)


def can_be_shown(value: object, *, most: int) -> bool:
    """Return whether the text of a value and all its parts has at most *most* characters, or a few times the value's own size.

    Parts that contain each other in several ways count as an endless text.
    """
    sizes: dict[int, int] = {}
    open_: set[int] = set()
    kept: list[object] = []  # else the address of an object made by `gc` could be reused
    returns = 0
    total = 0
    stack = [value]
    while stack:
        part = stack[-1]
        parts = _parts(part)
        if id(part) not in open_ and id(part) not in sizes:
            open_.add(id(part))
            kept.append(part)
            returns += sum(id(each) in open_ for each in parts)
            stack += [each for each in parts if id(each) not in sizes and id(each) not in open_]
            continue
        stack.pop()
        if id(part) in sizes:
            continue
        open_.discard(id(part))
        own = len(part) if isinstance(part, (str, bytes, bytearray)) else 1
        total += own
        sizes[id(part)] = min(own + sum(sizes.get(id(each), 0) for each in parts), _ENDLESS)
        if returns > 1:
            return False
    return sizes[id(value)] <= max(most, _FEW * total)


def _parts(value: object) -> list[object]:
    return (
        [] if isinstance(value, _NO_PARTS) else [each for each in gc.get_referents(value) if not isinstance(each, type)]
    )
