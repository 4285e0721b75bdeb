from capsend_traits.marks import Never, Serializable

class ServerProxy(Never):
    """a connection belongs to this process; keep it here, and pass the data as an argument"""

class DateTime(Serializable):
    """mutable: it can be given another value; capture str(...) of it"""

class Binary(Serializable):
    """mutable: it can be given other bytes; capture its data"""

class Marshaller(Never):
    """it is in the middle of a call; call xmlrpc.client.dumps(...) or loads(...) inside"""

class Unmarshaller(Never):
    """it is in the middle of a call; call xmlrpc.client.dumps(...) or loads(...) inside"""

class Transport(Never):
    """a connection belongs to this process; keep it here, and pass the data as an argument"""
