from capsend_traits.marks import Never

class _element_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; parse the document inside the process"""
