import sys

from capsend_traits.marks import Never

class Compress(Never, hidden=True):
    """the state of a stream cannot be taken out of its C code; pass the bytes, and create it inside the process"""

class Decompress(Never, hidden=True):
    """the state of a stream cannot be taken out of its C code; pass the bytes, and create it inside the process"""

_Compress = Compress
_Decompress = Decompress

if sys.version_info >= (3, 12):
    class _ZlibDecompressor(Never):
        """the state of a stream cannot be taken out of its C code; pass the bytes, and create it inside the process"""
