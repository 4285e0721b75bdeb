from capsend_traits.marks import Never, Serializable

class HTTPConnection(Never):
    """a connection belongs to this process; read in the parent, and pass the bytes as an argument"""

class HTTPSConnection(Never):
    """a connection belongs to this process; read in the parent, and pass the bytes as an argument"""

class HTTPResponse(Never):
    """a connection belongs to this process; read in the parent, and pass the bytes as an argument"""

class HTTPMessage(Serializable):
    """mutable: a captured set of headers would silently become a copy; capture tuple(headers.items())"""
