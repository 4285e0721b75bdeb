from capsend_traits.marks import Never, Serializable

class array(Serializable):
    """mutable: a captured array would silently become a copy; pass it as an argument, or capture tuple(...)"""

class arrayiterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; pass the array as an argument, or capture tuple(...) of the remaining items"""

ArrayType = array
