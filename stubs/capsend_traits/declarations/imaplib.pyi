from capsend_traits.marks import Never

class IMAP4(Never):
    """a connection belongs to this process; keep it here, and pass the data as an argument"""
