from capsend_traits.marks import Never

class IMAP4(Never):
    """a connection belongs to this process; keep it in the parent, and pass the data as an argument"""
