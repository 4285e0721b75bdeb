from capsend_traits.marks import Never

class SynchronizedBase(Never):
    """it lives in memory that only processes of the operating system share; pass the values as an argument"""

class Synchronized(Never):
    """it lives in memory that only processes of the operating system share; pass the values as an argument"""

class SynchronizedArray(Never):
    """it lives in memory that only processes of the operating system share; pass the values as an argument"""

class SynchronizedString(Never):
    """it lives in memory that only processes of the operating system share; pass the values as an argument"""
