from capsend_traits.marks import Never

class SemLock(Never):
    """a lock of the operating system does not reach into the process; create a threading.Lock inside the process, or wait for result() in the parent"""
