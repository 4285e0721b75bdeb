"""What hashing and comparing the keys of a message may cost, found out before it is done."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from .codec_limits import Malformed
from .codec_types import BY_TAG

if TYPE_CHECKING:
    from .codec_limits import Budget

# Any below stands for nodes, which are JSON, and for the values themselves.
_QUICK_KEYS: Final = frozenset({str, bytes, type(None), bool})
_NOT_HASHED: Final = frozenset({"l", "d", "m", "s", "f", "x", "e", "E", "b", "B", "L"})
_INSTANCES: Final = ("i", "k", "o", "K")


class Keys:
    """Guards the dicts and sets of one message; `values` are those of `nodes`, as far as they are built."""

    def __init__(self, nodes: list[Any], values: list[Any], budget: Budget) -> None:
        self._nodes = nodes
        self._values = values
        self._budget = budget
        self._weights: dict[int, tuple[int, int]] = {}

    def check(self, keys: list[Any], items: list[Any]) -> None:
        """Refuse keys that were chosen to make hashing or comparing them slow, or to overflow the stack."""
        limits = self._budget.limits
        if limits is None or len(keys) == 0 or set(map(type, keys)) <= _QUICK_KEYS:
            return
        self._budget.spend(len(keys))
        for item in items:
            if type(item) is list:
                work, depth = self._weight(item[0])
                if depth > limits.max_key_depth:
                    raise Malformed(f"a key nested deeper than {limits.max_key_depth} levels")
                self._budget.spend(work)
        if max(Counter(map(hash, keys)).values()) > limits.max_collisions:
            raise Malformed(f"more than {limits.max_collisions} keys with the same hash")

    def _weight(self, root: int) -> tuple[int, int]:
        """Return the steps and the depth of hashing a node: those of its parts as often as it has them."""
        weights = self._weights
        stack = [root]
        while stack:
            index = stack[-1]
            if index in weights and weights[index][0] >= 0:
                stack.pop()
                continue
            inner = self._hashed_parts(index)
            if index not in weights:
                # Marked as open: in a cycle a part of its own counts nothing.
                weights[index] = (-1, 0)
                self._budget.spend(1 + len(inner))
                stack += [k for k in inner if k not in weights]
                continue
            known = [weights[k] for k in inner if weights[k][0] >= 0]
            weights[index] = (
                self._own_work(index) + sum(w for w, _ in known),
                1 + max((d for _, d in known), default=0),
            )
            stack.pop()
        return weights[root]

    def _hashed_parts(self, index: int) -> list[int]:
        node = self._nodes[index]
        tag = node[0]
        if tag in _NOT_HASHED or (tag in BY_TAG and BY_TAG[tag].make is not None):
            return []
        if tag in _INSTANCES:
            value = self._values[index]
            by_identity: Any = object.__hash__
            if type(value).__hash__ is by_identity:
                return []
            fields = list(node[-1].values()) if type(node[-1]) is dict else []
            return [item[0] for item in (*node[2:], *fields) if type(item) is list]
        return [item[0] for item in node[1:] if type(item) is list]

    def _own_work(self, index: int) -> int:
        node = self._nodes[index]
        work = len(node) + (20 if node[0] in _INSTANCES else 0)
        return work + sum(len(item) >> 6 for item in node[1:2] if type(item) is str)
