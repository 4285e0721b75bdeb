from capsend_traits.marks import Never

class SemLock(Never):
    """a lock of the operating system does not reach into the process; create a threading.Lock inside, or wait for result() here"""

class Lock(Never):
    """a lock of the operating system does not reach into the process; create a threading.Lock inside, or wait for result() here"""

class RLock(Never):
    """a lock of the operating system does not reach into the process; create a threading.Lock inside, or wait for result() here"""

class Semaphore(Never):
    """a semaphore of the operating system does not reach into the process; create a threading.Semaphore inside"""

class BoundedSemaphore(Never):
    """a semaphore of the operating system does not reach into the process; create a threading.Semaphore inside"""

class Condition(Never):
    """it is built on locks of the operating system, which do not reach into the process; wait for result() here"""

class Event(Never):
    """it is built on locks of the operating system, which do not reach into the process; wait for result() here"""

class Barrier(Never):
    """it is built on locks of the operating system, which do not reach into the process; wait for result() here"""
