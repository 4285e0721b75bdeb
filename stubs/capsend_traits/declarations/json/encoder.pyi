from capsend_traits.marks import Serializable

class JSONEncoder(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
