from capsend_traits.marks import Never

_gdbm = gdbm

class gdbm(Never, hidden=True):
    """an open database belongs to this process; pass dict(...) of it as an argument"""
