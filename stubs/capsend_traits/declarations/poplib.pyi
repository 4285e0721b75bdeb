from capsend_traits.marks import Never

class POP3(Never):
    """a connection belongs to this process; keep it here, and pass the data as an argument"""
