import threading

from capsend_traits.marks import Never

class LockType(Never):
    """a copied lock protects nothing; create it inside the process"""

class RLock(Never):
    """a copied lock protects nothing; create it inside the process"""

class _ExceptHookArgs(Never):
    """it holds an exception and a thread of this process; capture the name of the type and the message"""

lock = LockType
_local = threading.local
_ThreadHandle = threading.Thread
