from capsend_traits.marks import Never

class Profile(Never):
    """it measures the calls of this process; create it inside the process"""
