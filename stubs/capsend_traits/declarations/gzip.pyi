from capsend_traits.marks import Never

class GzipFile(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""
