import _bz2

from capsend_traits.marks import Never

class BZ2File(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

BZ2Compressor = _bz2.BZ2Compressor
BZ2Decompressor = _bz2.BZ2Decompressor
