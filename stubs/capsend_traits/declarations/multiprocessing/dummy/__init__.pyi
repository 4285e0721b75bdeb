from capsend_traits.marks import Never

class DummyProcess(Never):
    """it is a thread of this process; send its target function, and what it needs as arguments"""
