import sys

from capsend_traits.marks import Never

class BaseServer(Never):
    """a server belongs to this process; keep it in the parent, and send the data of one request"""

class BaseRequestHandler(Never):
    """a request handler holds a connection of this process; pass the data of the request as an argument"""

class ThreadingMixIn(Never):
    """it is a part of servers of this process; keep it in the parent, and pass the data of a request as an argument"""

if sys.platform != "win32":
    class ForkingMixIn(Never):
        """it is a part of servers of this process; keep it in the parent, and pass the data of a request as an argument"""
