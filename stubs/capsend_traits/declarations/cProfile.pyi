from capsend_traits.marks import Never

class Profile(Never):
    """it measures this process; create it inside the process"""
