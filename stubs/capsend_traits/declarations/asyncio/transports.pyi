from capsend_traits.marks import Never

class BaseTransport(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""

class ReadTransport(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""

class WriteTransport(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""

class Transport(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""

class DatagramTransport(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""

class SubprocessTransport(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""
