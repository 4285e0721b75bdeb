from capsend_traits.marks import Never, Serializable

class TarFile(Never):
    """an open archive belongs to this process; send its path and open it inside the process, or capture what it contains"""

class ExFileObject(Never):
    """an open archive belongs to this process; send its path and open it inside the process, or capture what it contains"""

class TarInfo(Serializable):
    """mutable: a captured TarInfo would silently become a copy; capture what you need of it, such as info.name"""
