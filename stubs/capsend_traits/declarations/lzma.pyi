import _lzma

from capsend_traits.marks import Never

class LZMAFile(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

LZMACompressor = _lzma.LZMACompressor
LZMADecompressor = _lzma.LZMADecompressor
