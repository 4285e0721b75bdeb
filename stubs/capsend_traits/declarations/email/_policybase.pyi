from capsend_traits.marks import ProcessSend

class Compat32(ProcessSend):
    """immutable"""
