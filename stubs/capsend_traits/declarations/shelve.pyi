from capsend_traits.marks import Never

class Shelf(Never):
    """an open database belongs to this process; pass dict(...) of it as an argument"""
