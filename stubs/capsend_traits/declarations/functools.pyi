from capsend_traits.marks import Never

class cached_property(Never):
    """a cached_property works only as an attribute of its class; capture the class, or the function p.func"""

class partialmethod(Never):
    """a partialmethod works only as an attribute of its class; capture the class, or use functools.partial"""

class singledispatchmethod(Never):
    """a singledispatchmethod works only as an attribute of its class; capture the class"""

class KeyWrapper(Never, hidden=True):
    """a sort key made by cmp_to_key cannot be rebuilt from bytes; call functools.cmp_to_key(...) inside the process"""
