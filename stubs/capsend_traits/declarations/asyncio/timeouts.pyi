from capsend_traits.marks import Never

class Timeout(Never):
    """a timeout belongs to a task of this process; call asyncio.timeout(...) inside the process, in an async function"""
