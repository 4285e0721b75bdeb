import sys

from capsend_traits.marks import Never

if sys.version_info >= (3, 13):
    class _Database(Never):
        """an open database belongs to this process; pass dict(...) of it as an argument"""
