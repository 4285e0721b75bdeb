from capsend_traits.marks import ProcessSend

class NodeFilter(ProcessSend):
    """it has no state"""
