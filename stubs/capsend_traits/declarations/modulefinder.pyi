from capsend_traits.marks import Never

class ModuleFinder(Never):
    """it holds the modules that it found on this machine; capture tuple(finder.modules)"""
