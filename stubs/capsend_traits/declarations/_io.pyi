from capsend_traits.marks import Never

class _IOBase(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class _RawIOBase(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class _BufferedIOBase(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class _TextIOBase(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class FileIO(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class BufferedReader(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class BufferedWriter(Never):
    """an open file belongs to this process; return the bytes from the process, and write them in the parent"""

class BufferedRandom(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class BufferedRWPair(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class TextIOWrapper(Never):
    """an open file belongs to this process; send its path and open it inside the process, or write to sys.stdout, which each process has"""

class BytesIO(Never):
    """it is a file with a position that moves; capture buffer.getvalue(), and create io.BytesIO inside the process"""

class StringIO(Never):
    """it is a file with a position that moves; capture buffer.getvalue(), and create io.StringIO inside the process"""

class IncrementalNewlineDecoder(Never):
    """a decoder holds the state of a stream that it has read in part; create it inside the process"""

class _BytesIOBuffer(Never, hidden=True):
    """it is a window on the memory of a BytesIO; capture buffer.getvalue()"""
