from capsend_traits.marks import ProcessSend

class _Feature(ProcessSend):
    """constant"""
