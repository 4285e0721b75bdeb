from capsend_traits.marks import ProcessSend

class ZoneInfo(ProcessSend):
    """rebuilt from its key"""
