from capsend_traits.marks import Never

class HASH(Never):
    """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

class HASHXOF(Never):
    """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

class HMAC(Never):
    """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""
