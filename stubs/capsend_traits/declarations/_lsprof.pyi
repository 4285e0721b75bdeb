from capsend_traits.marks import Never

class Profiler(Never):
    """it measures this process; create it inside the process"""
