from capsend_traits.marks import Never, ProcessSend

class IncrementalEncoder(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""

class IncrementalDecoder(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""

class StreamReader(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""

class StreamWriter(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""

class StreamReaderWriter(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""

class StreamRecoder(Never):
    """it holds the state of a stream that it has read or written in part; create it inside the process"""

class CodecInfo(Never):
    """it is tied to functions of this process; send the name of the encoding, and call codecs.lookup(name) inside the process"""

class Codec(ProcessSend):
    """it has no state"""
