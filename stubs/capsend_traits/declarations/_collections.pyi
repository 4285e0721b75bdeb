from capsend_traits.marks import Never

class _deque_iterator(Never):
    """an iterator is a position that moves, and a copy would move on its own; pass the deque as an argument, or capture tuple(...) of the remaining items"""

class _deque_reverse_iterator(Never):
    """an iterator is a position that moves, and a copy would move on its own; pass the deque as an argument, or capture tuple(...) of the remaining items"""
