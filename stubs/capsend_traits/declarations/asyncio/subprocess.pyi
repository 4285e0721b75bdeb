from capsend_traits.marks import Never

class Process(Never):
    """it controls a process of the operating system; start it in the parent, and pass its output"""

class SubprocessStreamProtocol(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""
