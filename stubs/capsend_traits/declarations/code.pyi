from capsend_traits.marks import Never

class InteractiveInterpreter(Never):
    """it holds the names of an interactive session; create it inside the process"""
