from capsend_traits.marks import Never

class Mailbox(Never):
    """an open mailbox belongs to this process; send its path and open it inside"""
