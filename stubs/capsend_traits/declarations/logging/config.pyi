from capsend_traits.marks import Never

class ConvertingDict(Never):
    """it is tied to a configuration of this process; pass the plain dict, and call logging.config.dictConfig(...) inside the process"""

class ConvertingList(Never):
    """it is tied to a configuration of this process; pass the plain dict, and call logging.config.dictConfig(...) inside the process"""

class ConvertingTuple(Never):
    """it is tied to a configuration of this process; pass the plain dict, and call logging.config.dictConfig(...) inside the process"""

class ConvertingMixin(Never):
    """it is tied to a configuration of this process; pass the plain dict, and call logging.config.dictConfig(...) inside the process"""
