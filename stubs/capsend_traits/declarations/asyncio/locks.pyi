from capsend_traits.marks import Never

class Lock(Never):
    """a copied lock protects nothing; create it inside the process"""

class Event(Never):
    """a copied event is set for nobody else; create it inside the process"""

class Condition(Never):
    """a copied condition wakes nobody; create it inside the process"""

class Semaphore(Never):
    """a copied semaphore counts on its own; create it inside the process"""

class BoundedSemaphore(Never):
    """a copied semaphore counts on its own; create it inside the process"""

class Barrier(Never):
    """a copied barrier waits for tasks that are not there; create it inside the process"""
