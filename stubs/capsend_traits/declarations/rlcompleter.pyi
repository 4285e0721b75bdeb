from capsend_traits.marks import Never

class Completer(Never):
    """it completes the names of an interactive session; create it inside the process"""
