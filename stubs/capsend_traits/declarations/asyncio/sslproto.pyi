from capsend_traits.marks import Never

class SSLProtocol(Never):
    """a transport belongs to an event loop of this process; keep it here, and pass the data as an argument"""
