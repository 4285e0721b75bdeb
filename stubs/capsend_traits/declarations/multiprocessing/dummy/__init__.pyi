from capsend_traits.marks import Never, Serializable

class DummyProcess(Never):
    """it is a thread of this process; send its target function, and the data that it needs as arguments"""

class Namespace(Serializable):
    """mutable: a captured namespace would silently become a copy; pass it as an argument, or capture its fields one by one"""
