import posix

from capsend_traits.marks import Never

DirEntry = posix.DirEntry
_ScandirIterator = posix.ScandirIterator

class _Environ(Never):
    """the environment belongs to this process; pass dict(os.environ) as an argument, or capture the one value that you need"""

class stat_result(Never):
    """its fields depend on the operating system; capture the fields that you need, such as st.st_size"""

class statvfs_result(Never):
    """its fields depend on the operating system; capture the fields that you need, such as st.f_bavail"""

class terminal_size(Never):
    """it is the size of a terminal of this process; capture tuple(size)"""

sched_param = posix.sched_param
times_result = posix.times_result
uname_result = posix.uname_result
waitid_result = posix.waitid_result

class _wrap_close(Never):
    """an open pipe belongs to this process; capture its content"""
