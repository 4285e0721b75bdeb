from capsend_traits.marks import Never, Serializable

class ServerProxy(Never):
    """a connection belongs to this process; keep it in the parent, and pass the data as an argument"""

class DateTime(Serializable):
    """mutable: it can be given another value; capture str(...) of it"""

class Binary(Serializable):
    """mutable: it can be given other bytes; capture its data"""

class Marshaller(Never):
    """it is in the middle of a call; call xmlrpc.client.dumps(...) or loads(...) inside the process"""

class Unmarshaller(Never):
    """it is in the middle of a call; call xmlrpc.client.dumps(...) or loads(...) inside the process"""

class Transport(Never):
    """a connection belongs to this process; keep it in the parent, and pass the data as an argument"""
