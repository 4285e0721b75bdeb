from capsend_traits.marks import Never

class Mailbox(Never):
    """a mailbox belongs to its receiver; capture its address, mailbox.address"""
