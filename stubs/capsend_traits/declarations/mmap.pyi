from capsend_traits.marks import Never

class mmap(Never):
    """it is memory that belongs to this process; capture the bytes that you need, m[:]"""
