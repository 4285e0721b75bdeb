from capsend_traits.marks import Never

class BaseProcess(Never):
    """it controls a process of the operating system; call spawn(...) here instead, and return the result"""
