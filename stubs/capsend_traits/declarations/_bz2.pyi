from capsend_traits.marks import Never

class BZ2Compressor(Never):
    """the state of a stream cannot be taken out of its C code; pass the bytes, and create it inside the process"""

class BZ2Decompressor(Never):
    """the state of a stream cannot be taken out of its C code; pass the bytes, and create it inside the process"""
