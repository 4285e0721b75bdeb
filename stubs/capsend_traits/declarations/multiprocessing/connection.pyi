from capsend_traits.marks import Never

class _ConnectionBase(Never):
    """a pipe of the operating system does not reach into the process; pass the data as an argument, and return the result"""

class Connection(Never):
    """a pipe of the operating system does not reach into the process; pass the data as an argument, and return the result"""

class Listener(Never):
    """a pipe of the operating system does not reach into the process; pass the data as an argument, and return the result"""
