from capsend_traits.marks import ProcessSend

class IPv4Address(ProcessSend):
    """immutable"""

class IPv4Interface(ProcessSend):
    """immutable"""

class IPv4Network(ProcessSend):
    """immutable"""

class IPv6Address(ProcessSend):
    """immutable"""

class IPv6Interface(ProcessSend):
    """immutable"""

class IPv6Network(ProcessSend):
    """immutable"""
