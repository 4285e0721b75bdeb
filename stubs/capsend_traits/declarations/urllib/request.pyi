from capsend_traits.marks import Never

class OpenerDirector(Never):
    """an opener makes connections of this process; read here, and pass the bytes as an argument"""

class BaseHandler(Never):
    """an opener makes connections of this process; read here, and pass the bytes as an argument"""

class URLopener(Never):
    """an opener makes connections of this process; read here, and pass the bytes as an argument"""
