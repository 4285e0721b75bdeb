from capsend_traits.marks import Serializable

class Untokenizer(Serializable):
    """mutable: it remembers what it has put together; create it inside the process"""
