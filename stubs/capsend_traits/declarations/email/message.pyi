from capsend_traits.marks import Never, Serializable

class Message(Serializable):
    """mutable: a captured message would silently become a copy; pass it as an argument, or capture message.as_bytes()"""

class MIMEPart(Never):
    """its headers are of classes that are made while it is parsed; capture message.as_bytes(), and parse it inside the process with email.message_from_bytes(data, policy=email.policy.default)"""

class EmailMessage(Never):
    """its headers are of classes that are made while it is parsed; capture message.as_bytes(), and parse it inside the process with email.message_from_bytes(data, policy=email.policy.default)"""
