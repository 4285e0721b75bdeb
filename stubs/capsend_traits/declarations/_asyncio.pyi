from capsend_traits.marks import Never

class Future(Never):
    """a future belongs to an event loop of this process; capture future.result(), or send the async function and await it inside the process"""

class Task(Never):
    """a task is a running coroutine of this process; send the async function and its arguments"""

class FutureIter(Never, hidden=True):
    """it waits for a future of this process; send the async function and its arguments"""
