from capsend_traits.marks import Never

class TarFile(Never):
    """an open archive belongs to this process; send its path and open it inside, or capture what it contains"""

class ExFileObject(Never):
    """an open archive belongs to this process; send its path and open it inside, or capture what it contains"""
