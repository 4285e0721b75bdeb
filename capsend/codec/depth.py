"""The nesting depth of a message's values, checked before a value is built that would be too deep to free.

An interpreter frees the parts of a value by recursion, one call per level. For lists, tuples, dicts, sets and instances
of Python classes it checks its stack. For many classes in the table of standard classes it does not, so their levels
are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from capsend.codec.limits import Malformed
from capsend.codec.standard_types import BY_TAG

if TYPE_CHECKING:
    from capsend.codec.limits import Budget

NEVER: Final = -1


def too_deep(limit: int) -> Malformed:
    """Return the error for values that are nested too deep."""
    return Malformed(f"values of standard classes nested deeper than {limit} levels: send a flat list of them")


def check_cycles(nodes: list[Any], budget: Budget) -> None:
    """Refuse a message whose references point forward, as in cycles, if its values are nested too deep.

    A cycle counts as one level; but values of counted classes that are nested directly in each other within it count
    one level each.
    """
    limits = budget.limits
    if limits is None:
        return
    search = _Depths(nodes, budget, limits.max_depth)
    for root in range(len(nodes)):
        search.visit(root)


class Components:
    """Tarjan's search for strongly connected components, without recursion: it finds the parts of a value before the value.

    A subclass gives each component a measure, which is `NEVER` while the component is open.

    Source: R. Tarjan, Depth-first search and linear graph algorithms, 1972.
    """

    def __init__(self, nodes: list[Any], budget: Budget) -> None:
        self._nodes = nodes
        self._budget = budget
        self._found = [NEVER] * len(nodes)
        self._low = [0] * len(nodes)
        self._measures = [NEVER] * len(nodes)
        self._open: list[int] = []
        self._count = 0

    def visit(self, root: int) -> None:
        """Find the measure of a node and of all nodes that it refers to."""
        if self._found[root] != NEVER:
            return
        way = [(root, iter(self._enter(root)))]
        low, found = self._low, self._found
        while way:
            index, parts = way[-1]
            for part in parts:
                if found[part] == NEVER:
                    way.append((part, iter(self._enter(part))))
                    break
                if self._measures[part] == NEVER:
                    low[index] = min(low[index], found[part])
            else:
                way.pop()
                if way:
                    above = way[-1][0]
                    low[above] = min(low[above], low[index])
                if low[index] == found[index]:
                    self._close(index)

    def measure(self, members: list[int], inside: set[int]) -> int:
        """Return the measure of the nodes of one cycle, or of a single node; the nodes that they refer to are measured already."""
        raise NotImplementedError

    def _enter(self, index: int) -> list[int]:
        self._found[index] = self._low[index] = self._count
        self._count += 1
        self._open.append(index)
        parts = parts_of(self._nodes[index], len(self._nodes))
        self._budget.spend(2 + len(parts))
        return parts

    def _close(self, first: int) -> None:
        members = [self._open.pop()]
        while members[-1] != first:
            members.append(self._open.pop())
        measure = self.measure(members, set(members))
        for index in members:
            self._measures[index] = measure


class _Depths(Components):
    def __init__(self, nodes: list[Any], budget: Budget, limit: int) -> None:
        super().__init__(nodes, budget)
        self._limit = limit

    def measure(self, members: list[int], inside: set[int]) -> int:
        """Return the depth of the nodes."""
        below, chained = 0, False
        for index in members:
            own = self._frees_by_itself(index)
            for part in parts_of(self._nodes[index], len(self._nodes)):
                if part in inside:
                    chained = chained or (own and self._frees_by_itself(part))
                else:
                    below = max(below, self._measures[part])
        counted = sum(map(self._frees_by_itself, members))
        depth = below + (counted if chained else min(counted, 1))
        if depth > self._limit:
            raise too_deep(self._limit)
        return depth

    def _frees_by_itself(self, index: int) -> bool:
        node = self._nodes[index]
        return type(node) is list and bool(node) and type(node[0]) is str and node[0] in BY_TAG


def parts_of(node: Any, count: int) -> list[int]:
    """Return the indices of the nodes to which a node refers, as far as the node is well-formed."""
    if type(node) is not list or not node or node[0] == "x":
        return []
    items = node[1:]
    if items and type(items[-1]) is dict:
        items = [*items[:-1], *items[-1].values()]
    return [
        item[0]
        for item in items
        if type(item) is list and len(item) == 1 and type(item[0]) is int and 0 <= item[0] < count
    ]
