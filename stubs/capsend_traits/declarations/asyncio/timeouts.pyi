from capsend_traits.marks import Never

class Timeout(Never):
    """a timeout belongs to a task of this process; call asyncio.timeout(...) inside, in an async function"""
