from capsend_traits.marks import Never, ProcessSend

class Decimal(ProcessSend):
    """immutable"""

class DecimalTuple(ProcessSend):
    """immutable"""

class Context(Never):
    """a context is mutable settings that belong to a thread; call decimal.localcontext(prec=..., rounding=...) inside the process"""

class ContextManager(Never, hidden=True):
    """it restores the context of a thread of this process; call decimal.localcontext(...) inside the process"""

_ContextManager = ContextManager
