from capsend_traits.marks import Never

class Future(Never):
    """a future belongs to an executor of this process; capture future.result()"""

class Executor(Never):
    """an executor runs threads or processes of this one; create a capsend.Executor in the parent, or one of its own inside the process"""
