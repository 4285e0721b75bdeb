from capsend_traits.marks import Never

class ProcessPoolExecutor(Never):
    """an executor runs threads or processes of this one; create a capsend.Executor in the parent, or one of its own inside the process"""
