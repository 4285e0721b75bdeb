from capsend_traits.marks import Never

class reader(Never, hidden=True):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(...) of the rows that are left, or pass the text"""

class writer(Never, hidden=True):
    """it writes to a file of this process; return the rows, and write them in the parent"""

class Dialect(Never):
    """it cannot be taken out of its C code; send the name of the dialect, or a subclass of csv.Dialect"""

Reader = reader
Writer = writer
