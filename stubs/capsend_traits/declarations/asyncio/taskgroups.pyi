from capsend_traits.marks import Never

class TaskGroup(Never):
    """a task group belongs to a task of this process; create it inside the process, in an async function"""
