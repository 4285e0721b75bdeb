from capsend_traits.marks import Never

class SimpleXMLRPCDispatcher(Never):
    """a server belongs to this process; keep it in the parent, and pass the data of a request as an argument"""

class XMLRPCDocGenerator(Never):
    """a server belongs to this process; keep it in the parent, and pass the data of a request as an argument"""
