from capsend_traits.marks import Never, ProcessSend

class Address(ProcessSend):
    """capturing it is the right to send to its mailbox"""

class Mailbox(Never):
    """a mailbox belongs to the one who receives from it; capture its address, mailbox.address"""
