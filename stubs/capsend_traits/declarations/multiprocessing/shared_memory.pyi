from capsend_traits.marks import Never

class SharedMemory(Never):
    """it lives in memory that only processes of the operating system share; pass the values as an argument"""

class ShareableList(Never):
    """it lives in memory that only processes of the operating system share; pass the values as an argument"""
