from capsend_traits.marks import Never

class Connection(Never):
    """it is a queue between threads of this process; pass the data as an argument, and return the result"""

class Listener(Never):
    """it is a queue between threads of this process; pass the data as an argument, and return the result"""
