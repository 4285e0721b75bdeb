from capsend_traits.marks import Never

class BaseSelectorEventLoop(Never):
    """an event loop belongs to a thread of this process; send an async function: the process runs it on a loop of its own"""
