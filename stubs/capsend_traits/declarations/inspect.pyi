from capsend_traits.marks import Never, Serializable

class Signature(Never):
    """its parameters are a read-only view on a dict of this process; call inspect.signature(function) inside the process, or capture str(signature)"""

class BoundArguments(Never):
    """it belongs to a signature, which does not travel; pass args and kwargs of it as arguments"""

class Parameter(Never):
    """it belongs to a signature, which does not travel; capture parameter.name, or str(parameter)"""

class BlockFinder(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
