from capsend_traits.marks import Never

class LZMACompressor(Never):
    """the state of a stream cannot be taken out of its C code; pass the bytes, and create it inside the process"""

class LZMADecompressor(Never):
    """the state of a stream cannot be taken out of its C code; pass the bytes, and create it inside the process"""
