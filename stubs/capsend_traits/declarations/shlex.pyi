from capsend_traits.marks import Never

class shlex(Never):
    """it has read a text in part; pass the text, and split it inside the process"""
