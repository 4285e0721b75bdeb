from capsend_traits.marks import Never

class BaseEventLoop(Never):
    """an event loop belongs to a thread of this process; send an async function: the process runs it on a loop of its own"""

class Server(Never):
    """a server belongs to this process; keep it in the parent, and send the data of one request"""
