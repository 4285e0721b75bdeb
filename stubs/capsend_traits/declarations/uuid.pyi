from capsend_traits.marks import ProcessSend

class UUID(ProcessSend):
    """immutable"""
