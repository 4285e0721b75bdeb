from capsend_traits.marks import Never

class Finalize(Never):
    """a finalizer watches an object of this process; create it inside the process"""
