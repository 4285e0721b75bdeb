from capsend_traits.marks import Never, Serializable

class OpenerDirector(Never):
    """an opener makes connections of this process; read in the parent, and pass the bytes as an argument"""

class BaseHandler(Never):
    """an opener makes connections of this process; read in the parent, and pass the bytes as an argument"""

class URLopener(Never):
    """an opener makes connections of this process; read in the parent, and pass the bytes as an argument"""

class HTTPPasswordMgr(Serializable):
    """mutable: a captured set of passwords would silently become a copy; pass it as an argument, or create it inside the process"""

class HTTPPasswordMgrWithDefaultRealm(Serializable):
    """mutable: a captured set of passwords would silently become a copy; pass it as an argument, or create it inside the process"""

class HTTPPasswordMgrWithPriorAuth(Serializable):
    """mutable: a captured set of passwords would silently become a copy; pass it as an argument, or create it inside the process"""

class AbstractBasicAuthHandler(Never):
    """an opener makes connections of this process; read in the parent, and pass the bytes as an argument"""

class AbstractDigestAuthHandler(Never):
    """an opener makes connections of this process; read in the parent, and pass the bytes as an argument"""

class Request(Serializable):
    """mutable: a captured request would silently become a copy; pass it as an argument, or capture request.full_url"""
