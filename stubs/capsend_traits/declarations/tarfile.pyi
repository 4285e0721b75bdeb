from capsend_traits.marks import Never, Serializable

class TarFile(Never):
    """an open archive belongs to this process; send its path and open it inside the process, or capture its content"""

class ExFileObject(Never):
    """an open archive belongs to this process; send its path and open it inside the process, or capture its content"""

class TarInfo(Serializable):
    """mutable: a captured TarInfo would silently become a copy; capture the data that you need, such as info.name"""
