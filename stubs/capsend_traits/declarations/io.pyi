import _io

from capsend_traits.marks import Never

class IOBase(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class RawIOBase(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class BufferedIOBase(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class TextIOBase(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

FileIO = _io.FileIO
BytesIO = _io.BytesIO
StringIO = _io.StringIO
BufferedReader = _io.BufferedReader
BufferedWriter = _io.BufferedWriter
BufferedRandom = _io.BufferedRandom
BufferedRWPair = _io.BufferedRWPair
TextIOWrapper = _io.TextIOWrapper
IncrementalNewlineDecoder = _io.IncrementalNewlineDecoder
