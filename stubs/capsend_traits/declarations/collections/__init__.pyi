import _collections
from typing import Generic, TypeVar

from capsend_traits.marks import Never, Serializable

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

class deque(Serializable, Generic[T]):
    """mutable: a captured deque would silently become a copy; pass it as an argument, or capture tuple(...)"""

class defaultdict(Serializable, Generic[K, V]):
    """mutable: a captured defaultdict would silently become a copy; pass it as an argument, or capture tuple(d.items())"""

class OrderedDict(Serializable, Generic[K, V]):
    """mutable: a captured OrderedDict would silently become a copy; pass it as an argument, or capture tuple(d.items())"""

class Counter(Serializable, Generic[T]):
    """mutable: a captured Counter would silently become a copy; pass it as an argument, or capture tuple(counter.items())"""

class ChainMap(Serializable, Generic[K, V]):
    """mutable: a captured ChainMap would silently become a copy; pass it as an argument, or capture tuple(chain.items())"""

class UserDict(Serializable, Generic[K, V]):
    """mutable: a captured UserDict would silently become a copy; pass it as an argument, or capture tuple(d.items())"""

class UserList(Serializable, Generic[T]):
    """mutable: a captured UserList would silently become a copy; pass it as an argument, or capture tuple(...)"""

class UserString(Serializable):
    """its data can be replaced, so a captured one would silently become a copy; pass it as an argument, or capture str(...)"""

class _OrderedDictKeysView(Never):
    """a view shows a dict of this process; pass the dict as an argument, or capture tuple(view)"""

class _OrderedDictValuesView(Never):
    """a view shows a dict of this process; pass the dict as an argument, or capture tuple(view)"""

class _OrderedDictItemsView(Never):
    """a view shows a dict of this process; pass the dict as an argument, or capture tuple(view)"""

_deque_iterator = _collections._deque_iterator
_deque_reverse_iterator = _collections._deque_reverse_iterator
_odict_keys = _OrderedDictKeysView
_odict_values = _OrderedDictValuesView
_odict_items = _OrderedDictItemsView
