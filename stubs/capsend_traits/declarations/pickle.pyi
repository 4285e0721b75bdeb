import _pickle

from capsend_traits.marks import Never

class _Pickler(Never):
    """a pickler writes to a file of this process, and pickle is not how values travel; pass the value itself as an argument"""

class _Unpickler(Never):
    """a pickler writes to a file of this process, and pickle is not how values travel; pass the value itself as an argument"""

class PickleBuffer(Never):
    """it is a window on the memory of another object; capture bytes(buffer)"""

Pickler = _pickle.Pickler
Unpickler = _pickle.Unpickler
