import _asyncio

from capsend_traits.marks import Never

class _PyTask(Never):
    """a task is a running coroutine of this process; send the async function and its arguments"""

Task = _asyncio.Task
