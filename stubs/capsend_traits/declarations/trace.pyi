from capsend_traits.marks import Never, Serializable

class CoverageResults(Serializable):
    """mutable: a captured set of results would silently become a copy; pass it as an argument, or create it inside the process"""

class Trace(Never):
    """it traces the frames of this process; create it inside the process"""
