from capsend_traits.marks import Never

class _SSLContext(Never):
    """it holds keys and connections in native memory of this process; keep it in the parent, and pass the data as an argument"""

class _SSLSocket(Never):
    """it holds keys and connections in native memory of this process; keep it in the parent, and pass the data as an argument"""

class SSLSession(Never):
    """it holds keys and connections in native memory of this process; keep it in the parent, and pass the data as an argument"""

class MemoryBIO(Never):
    """it holds keys and connections in native memory of this process; keep it in the parent, and pass the data as an argument"""

class Certificate(Never):
    """it holds keys and connections in native memory of this process; keep it in the parent, and pass the data as an argument"""
