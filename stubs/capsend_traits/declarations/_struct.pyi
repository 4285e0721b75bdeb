from capsend_traits.marks import Never, ProcessSend

class Struct(ProcessSend):
    """rebuilt from its format"""

class unpack_iterator(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture the bytes, and unpack them inside the process"""
