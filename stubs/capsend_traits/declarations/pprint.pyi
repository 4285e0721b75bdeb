from capsend_traits.marks import Never

class PrettyPrinter(Never):
    """it writes to a file of this process; create it inside the process"""
