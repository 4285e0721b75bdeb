from capsend_traits.marks import Never

class SemLock(Never):
    """a lock of the operating system does not reach into the process; create a threading.Lock inside the process, or wait for result() in the parent"""

class Lock(Never):
    """a lock of the operating system does not reach into the process; create a threading.Lock inside the process, or wait for result() in the parent"""

class RLock(Never):
    """a lock of the operating system does not reach into the process; create a threading.Lock inside the process, or wait for result() in the parent"""

class Semaphore(Never):
    """a semaphore of the operating system does not reach into the process; create a threading.Semaphore inside the process"""

class BoundedSemaphore(Never):
    """a semaphore of the operating system does not reach into the process; create a threading.Semaphore inside the process"""

class Condition(Never):
    """it is built on locks of the operating system, which do not reach into the process; wait for result() in the parent"""

class Event(Never):
    """it is built on locks of the operating system, which do not reach into the process; wait for result() in the parent"""

class Barrier(Never):
    """it is built on locks of the operating system, which do not reach into the process; wait for result() in the parent"""
