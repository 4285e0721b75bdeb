from capsend_traits.marks import Never

class local(Never):
    """thread-local values belong to the threads of this process; capture the values, each in a variable of its own"""
