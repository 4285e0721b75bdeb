from capsend_traits.marks import Never

class BaseProtocol(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""

class Protocol(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""

class BufferedProtocol(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""

class DatagramProtocol(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""

class SubprocessProtocol(Never):
    """a transport belongs to an event loop of this process; keep it in the parent, and pass the data as an argument"""
