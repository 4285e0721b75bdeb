from capsend_traits.marks import Never

class StreamReader(Never):
    """a stream belongs to an event loop of this process; read in the parent, and pass the bytes as an argument"""

class StreamWriter(Never):
    """a stream belongs to an event loop of this process; read in the parent, and pass the bytes as an argument"""

class StreamReaderProtocol(Never):
    """a stream belongs to an event loop of this process; read in the parent, and pass the bytes as an argument"""
