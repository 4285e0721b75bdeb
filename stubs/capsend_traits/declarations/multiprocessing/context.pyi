from capsend_traits.marks import Never

class BaseContext(Never):
    """it starts processes of the operating system; call spawn(...) instead"""

class Process(Never):
    """it controls a process of the operating system; call spawn(...) instead, and return the result"""
