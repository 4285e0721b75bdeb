from capsend_traits.marks import Never

class ZipFile(Never):
    """an open archive belongs to this process; send its path and open it inside the process, or capture its content"""

class PyZipFile(Never):
    """an open archive belongs to this process; send its path and open it inside the process, or capture its content"""

class ZipExtFile(Never):
    """an open archive belongs to this process; send its path and open it inside the process, or capture its content"""

class ZipInfo(Never):
    """its fields are not the same in every Python; capture the data that you need, such as info.filename"""

class Path(Never):
    """it is a place in an open archive of this process; capture path.read_bytes(), or send the path of the archive"""
