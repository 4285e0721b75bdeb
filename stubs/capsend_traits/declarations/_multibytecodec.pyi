from capsend_traits.marks import Never

class MultibyteIncrementalEncoder(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""

class MultibyteIncrementalDecoder(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""

class MultibyteStreamReader(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""

class MultibyteStreamWriter(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""
