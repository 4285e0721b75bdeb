from capsend_traits.marks import Serializable

class TextWrapper(Serializable):
    """mutable: its settings can be changed; create it inside the process"""
