from capsend_traits.marks import Never

class _TemporaryFileWrapper(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class SpooledTemporaryFile(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class TemporaryDirectory(Never):
    """it removes a folder of this process when it is collected; send its name as a str"""

class _TemporaryFileCloser(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""
