import sys

from capsend_traits.marks import Never

class EntryPoints(Never):
    """it shows packages that are installed beside this process; capture the data that you need, as str"""

class EntryPoint(Never):
    """it shows packages that are installed beside this process; capture the data that you need, as str"""

class Distribution(Never):
    """it shows packages that are installed beside this process; capture the data that you need, as str"""

class PackagePath(Never):
    """it shows packages that are installed beside this process; capture the data that you need, as str"""

class MetadataPathFinder(Never):
    """it finds packages that are installed beside this process; capture their names or versions, as str"""

if sys.version_info < (3, 12):
    class DeprecatedList(Never):
        """newer Pythons do not have it, and the process runs one of them; capture the data that you need, as str"""

if sys.version_info < (3, 12):
    class Deprecated(Never):
        """newer Pythons do not have it, and the process runs one of them; capture the data that you need, as str"""

if sys.version_info < (3, 12):
    class SelectableGroups(Never):
        """newer Pythons do not have it, and the process runs one of them; capture the data that you need, as str"""
