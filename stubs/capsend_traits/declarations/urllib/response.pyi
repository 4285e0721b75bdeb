from capsend_traits.marks import Never

class addbase(Never):
    """a connection belongs to this process; read in the parent, and pass the bytes as an argument"""
