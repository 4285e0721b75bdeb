from capsend_traits.marks import Never

class Process(Never):
    """it controls a process of the operating system; start it here, and pass what it prints"""

class SubprocessStreamProtocol(Never):
    """a transport belongs to an event loop of this process; keep it here, and pass the data as an argument"""
