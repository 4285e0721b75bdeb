from capsend_traits.marks import Never

class scheduler(Never):
    """it holds a lock, and functions that wait to run in this process; create it inside the process"""
