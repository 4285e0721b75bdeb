from capsend_traits.marks import Never

class BaseServer(Never):
    """a server belongs to this process; keep it here, and send the data of one request"""

class BaseRequestHandler(Never):
    """a request handler holds a connection of this process; pass the data of the request as an argument"""
