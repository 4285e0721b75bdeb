from capsend_traits.marks import Serializable

class TestLoader(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
