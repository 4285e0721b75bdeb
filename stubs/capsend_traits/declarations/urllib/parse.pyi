from capsend_traits.marks import ProcessSend

class DefragResult(ProcessSend):
    """immutable"""

class SplitResult(ProcessSend):
    """immutable"""

class ParseResult(ProcessSend):
    """immutable"""

class DefragResultBytes(ProcessSend):
    """immutable"""

class SplitResultBytes(ProcessSend):
    """immutable"""

class ParseResultBytes(ProcessSend):
    """immutable"""
