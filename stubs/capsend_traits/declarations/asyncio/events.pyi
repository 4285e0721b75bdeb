from capsend_traits.marks import Never

class AbstractEventLoop(Never):
    """an event loop belongs to a thread of this process; send an async function: the process runs it on a loop of its own"""

class AbstractEventLoopPolicy(Never):
    """an event loop policy belongs to this process; send an async function: the process runs it on a loop of its own"""

_AbstractEventLoopPolicy = AbstractEventLoopPolicy

class AbstractServer(Never):
    """a server belongs to this process; keep it in the parent, and send the data of one request"""

class Handle(Never):
    """it is a scheduled call of this process's event loop; send the function itself"""

class TimerHandle(Never):
    """it is a scheduled call of this process's event loop; send the function itself"""
