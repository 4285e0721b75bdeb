from capsend_traits.marks import Never

class NonCallableMock(Never):
    """a mock records the calls of this process; use a small class of your own in its place"""
