from capsend_traits.marks import Never

class Mailbox(Never):
    """a mailbox belongs to the one who receives from it; capture its address, mailbox.address"""
