from capsend_traits.marks import Never

class SSLProtocol(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""
