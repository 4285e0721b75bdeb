import sys

from capsend_traits.marks import Never

if sys.version_info < (3, 12):
    class sha384(Never, hidden=True):
        """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""

    class sha512(Never, hidden=True):
        """the state of a hash cannot be taken out of its C code; pass the bytes and hash them inside the process, or capture h.hexdigest()"""
