from capsend_traits.marks import Never

class Pickler(Never):
    """a pickler writes to a file of this process, and pickle is not how values travel; pass the value itself as an argument"""

class Unpickler(Never):
    """a pickler writes to a file of this process, and pickle is not how values travel; pass the value itself as an argument"""

class PicklerMemoProxy(Never, hidden=True):
    """a pickler writes to a file of this process, and pickle is not how values travel; pass the value itself as an argument"""

class UnpicklerMemoProxy(Never, hidden=True):
    """a pickler writes to a file of this process, and pickle is not how values travel; pass the value itself as an argument"""
