from capsend_traits.marks import ProcessSend

class Address(ProcessSend):
    """capturing it is the right to send to its mailbox"""
