from capsend_traits.marks import Never

class DirEntry(Never):
    """it is a position in a folder of this process; send entry.path"""

class ScandirIterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(entry.path for entry in it)"""

class sched_param(Never):
    """its fields depend on the operating system; capture tuple(...) of it, or the fields that you need"""

class times_result(Never):
    """its fields depend on the operating system; capture tuple(...) of it, or the fields that you need"""

class uname_result(Never):
    """its fields depend on the operating system; capture tuple(...) of it, or the fields that you need"""

class waitid_result(Never):
    """its fields depend on the operating system; capture tuple(...) of it, or the fields that you need"""
