from capsend_traits.marks import Never

class TransportSocket(Never):
    """a connection belongs to this process; keep it in the parent, and pass the data as an argument"""
