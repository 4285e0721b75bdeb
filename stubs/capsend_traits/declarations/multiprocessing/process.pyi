from capsend_traits.marks import Never

class BaseProcess(Never):
    """it controls a process of the operating system; call spawn(...) instead, and return the result"""

class AuthenticationString(Never):
    """it is a secret of this process and its children; if it may leave them, capture bytes(...) of it"""
