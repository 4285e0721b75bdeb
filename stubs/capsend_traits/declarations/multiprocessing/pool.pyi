from capsend_traits.marks import Never

class Pool(Never):
    """a pool runs threads or processes of this one; create a capsend.Executor in the parent"""

class ThreadPool(Never):
    """a pool runs threads or processes of this one; create a capsend.Executor in the parent"""

class ApplyResult(Never):
    """the result belongs to a pool of this process; capture result.get()"""

class MapResult(Never):
    """the result belongs to a pool of this process; capture result.get()"""

class IMapIterator(Never):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(...) of the remaining items"""

class IMapUnorderedIterator(Never):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(...) of the remaining items"""

AsyncResult = ApplyResult
