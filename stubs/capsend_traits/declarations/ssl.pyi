import _ssl

from capsend_traits.marks import Never

class SSLContext(Never):
    """it holds keys and connections in native memory of this process; keep it in the parent, and pass the data as an argument"""

class SSLSocket(Never):
    """it holds keys and connections in native memory of this process; keep it in the parent, and pass the data as an argument"""

class SSLObject(Never):
    """it holds keys and connections in native memory of this process; keep it in the parent, and pass the data as an argument"""

SSLSession = _ssl.SSLSession
MemoryBIO = _ssl.MemoryBIO
