from capsend_traits.marks import Never, ProcessSend

class Address(ProcessSend):
    """immutable"""

class Group(ProcessSend):
    """immutable"""

class BaseHeader(Never):
    """its class is made while a message is parsed; capture str(header)"""

class HeaderRegistry(Never):
    """it makes classes for headers; create it inside the process"""
