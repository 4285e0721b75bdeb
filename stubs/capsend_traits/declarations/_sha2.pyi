import sys

from capsend_traits.marks import Never

if sys.version_info >= (3, 12):
    class SHA224Type(Never):
        """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

    class SHA256Type(Never):
        """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

    class SHA384Type(Never):
        """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

    class SHA512Type(Never):
        """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""
