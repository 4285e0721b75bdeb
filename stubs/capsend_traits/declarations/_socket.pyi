from capsend_traits.marks import Never

class socket(Never):
    """a connection belongs to this process; send the address as a tuple, or send and receive in the parent and pass the bytes"""

SocketType = socket
