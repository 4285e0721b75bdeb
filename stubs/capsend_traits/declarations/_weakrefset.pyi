from capsend_traits.marks import Never

class WeakSet(Never):
    """its weak references point to objects of this process; pass set(...) of it as an argument, or capture frozenset(...) of it"""
