import _thread

from capsend_traits.marks import Never

class _RLock(Never):
    """a copied lock protects nothing; create it inside the process"""

class Condition(Never):
    """a copied condition wakes nobody; create it inside the process"""

class Semaphore(Never):
    """a copied semaphore counts on its own; create it inside the process"""

class BoundedSemaphore(Never):
    """a copied semaphore counts on its own; create it inside the process"""

class Event(Never):
    """a copied event is set for nobody else; create it inside the process, or wait for result() of the process"""

class Barrier(Never):
    """a copied barrier waits for threads that are not there; create it inside the process"""

class Thread(Never):
    """a thread runs in the memory of this process; send its target function, and the data that it needs as arguments"""

class Timer(Never):
    """a timer is a thread of this process; send its function, and call time.sleep() inside the process"""

class local(Never):
    """thread-local values belong to the threads of this process; capture the values, each in a variable of its own"""

Lock = _thread.LockType
RLock = _thread.RLock
_CRLock = _thread.RLock
ExceptHookArgs = _thread._ExceptHookArgs
_DummyThread = Thread
_MainThread = Thread
