from capsend_traits.marks import Never

class TracebackException(Never):
    """it holds frames of this process; capture ''.join(...) of its format()"""

class FrameSummary(Never):
    """it may hold the code and the variables of a call of this process; capture its filename, lineno and name"""

class StackSummary(Never):
    """it holds frames of this process; capture tuple(stack.format())"""
