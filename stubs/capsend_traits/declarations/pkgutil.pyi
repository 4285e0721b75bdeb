import sys

from capsend_traits.marks import Never

if sys.version_info < (3, 12):
    class ImpImporter(Never):
        """newer Pythons do not have it, and the process runs one of them; import the module inside the process"""
