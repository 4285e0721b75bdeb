import _socket

from capsend_traits.marks import Never

class socket(Never):
    """a connection belongs to this process; send the address as a tuple, or send and receive here and pass the bytes"""

class SocketIO(Never):
    """a connection belongs to this process; read here and pass the bytes"""

SocketType = _socket.socket
