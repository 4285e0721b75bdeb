from capsend_traits.marks import Never

class ContextVar(Never):
    """its value belongs to a context of this process; capture var.get()"""

class Token(Never):
    """it restores a variable of this process; set the variable inside the process"""

class Context(Never):
    """it holds the context variables of this process; capture the values that you need, var.get()"""
