"""The cost of hashing and comparing the keys of a message, estimated before the keys are hashed."""

from __future__ import annotations

import sys
from itertools import islice
from operator import eq
from typing import TYPE_CHECKING, Any, Final

from capsend.codec.limits import Malformed
from capsend.codec.probes import FEW, charge_dict, charge_set
from capsend.codec.standard_types import BY_TAG

if TYPE_CHECKING:
    from capsend.codec.limits import Budget

# Any in this module is for JSON nodes, and for the values themselves.
_TEXTS: Final = frozenset({str, bytes})
# Senders cannot choose the hash of a text, unless the interpreter was started with a fixed hash seed.
_QUICK_KEYS: Final = frozenset({type(None), bool}) | (_TEXTS if sys.flags.hash_randomization else frozenset())
_NOT_HASHED: Final = frozenset({"l", "d", "m", "s", "f", "x", "e", "E", "b", "B", "L"})
_INSTANCES: Final = ("i", "k", "o", "K")
_LONGEST_FRACTION: Final = 4_096  # bits; the standard library keeps many thousands of hashed fractions
_OPEN: Final = -1


class Keys:
    """Guards the dicts and sets of one message; `values` has the value of each of the `nodes` built so far."""

    def __init__(self, nodes: list[Any], values: list[Any], budget: Budget) -> None:
        self._nodes = nodes
        self._values = values
        self._budget = budget
        self._works: list[int | None] = []
        self._depths: list[int] = []

    def check(self, keys: list[Any], items: list[Any], *, of_set: bool) -> None:
        """Refuse keys chosen so that hashing or comparing them is slow or overflows the stack."""
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
        hashes = list(map(hash, keys))
        # Counted by sorting: a dict of counts may be exactly the operation that the keys make slow.
        in_order = sorted(hashes)
        if any(map(eq, in_order, islice(in_order, limits.max_collisions, None))):
            raise Malformed(f"more than {limits.max_collisions} keys with the same hash")
        if len(keys) > FEW:
            (charge_set if of_set else charge_dict)(hashes, self._budget.spend)

    def _weight(self, root: int) -> tuple[int, int]:
        """Return (steps, depth) of hashing a node.

        A part that occurs several times counts as often.
        """
        if not self._works:
            self._works, self._depths = [None] * len(self._nodes), [0] * len(self._nodes)
        works, depths = self._works, self._depths
        stack = [root]
        while stack:
            index = stack[-1]
            work = works[index]
            if work is not None and work != _OPEN:
                stack.pop()
                continue
            inner = self._hashed_parts(index)
            if work is None:
                # Marked as open: within a cycle a node counts nothing as a part of itself.
                works[index] = _OPEN
                self._budget.spend(1 + len(inner))
                stack += [k for k in inner if works[k] is None]
                continue
            known = [k for k in inner if works[k] != _OPEN]
            works[index] = self._own_work(index) + sum(works[k] or 0 for k in known)
            depths[index] = 1 + max((depths[k] for k in known), default=0)
            stack.pop()
        return works[root] or 0, depths[root]

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
        if (
            node[0] == "fraction"
            and self._values[index].denominator.bit_length() + self._values[index].numerator.bit_length()
            > _LONGEST_FRACTION
        ):
            raise Malformed(f"a fraction of more than {_LONGEST_FRACTION} bits as a key")
        work = len(node) + (20 if node[0] in _INSTANCES else 0)
        return work + sum(len(item) >> 6 for item in node[1:2] if type(item) is str)
