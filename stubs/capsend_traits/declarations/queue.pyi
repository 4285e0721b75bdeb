import _queue

from capsend_traits.marks import Never

class Queue(Never):
    """nobody else would see the items that are put into a copied queue; pass the items as an argument, and return the results"""

class LifoQueue(Never):
    """nobody else would see the items that are put into a copied queue; pass the items as an argument, and return the results"""

class PriorityQueue(Never):
    """nobody else would see the items that are put into a copied queue; pass the items as an argument, and return the results"""

SimpleQueue = _queue.SimpleQueue
