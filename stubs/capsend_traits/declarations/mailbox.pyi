from capsend_traits.marks import Never, Serializable

class Mailbox(Never):
    """an open mailbox belongs to this process; send its path and open it inside the process"""

class Message(Serializable):
    """mutable: a captured message would silently become a copy; pass it as an argument, or capture message.as_bytes()"""

class MaildirMessage(Serializable):
    """mutable: a captured message would silently become a copy; pass it as an argument, or capture message.as_bytes()"""

class mboxMessage(Serializable):
    """mutable: a captured message would silently become a copy; pass it as an argument, or capture message.as_bytes()"""

class MHMessage(Serializable):
    """mutable: a captured message would silently become a copy; pass it as an argument, or capture message.as_bytes()"""

class BabylMessage(Serializable):
    """mutable: a captured message would silently become a copy; pass it as an argument, or capture message.as_bytes()"""

class MMDFMessage(Serializable):
    """mutable: a captured message would silently become a copy; pass it as an argument, or capture message.as_bytes()"""
