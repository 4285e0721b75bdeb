from capsend_traits.marks import ProcessSend

class struct_time(ProcessSend):
    """an immutable tuple of int"""
