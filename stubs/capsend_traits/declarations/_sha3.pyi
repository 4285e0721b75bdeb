from capsend_traits.marks import Never

class sha3_224(Never):
    """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

class sha3_256(Never):
    """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

class sha3_384(Never):
    """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

class sha3_512(Never):
    """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

class shake_128(Never):
    """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

class shake_256(Never):
    """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""
