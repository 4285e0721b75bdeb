from capsend_traits.marks import Never

class MetaPathFinder(Never):
    """it imports modules of this process; import the module inside the process"""

class PathEntryFinder(Never):
    """it imports modules of this process; import the module inside the process"""
