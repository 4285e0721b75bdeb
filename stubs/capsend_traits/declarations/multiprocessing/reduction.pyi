from capsend_traits.marks import Never

class AbstractReducer(Never):
    """it prepares things of this process for its children; create it inside the process"""
