from capsend_traits.marks import Never

class struct_time(Never):
    """it cannot be rebuilt exactly; capture tuple(t), and make time.struct_time(...) of it inside the process"""
