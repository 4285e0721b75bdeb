from capsend_traits.marks import ProcessSend

class Fraction(ProcessSend):
    """immutable"""
