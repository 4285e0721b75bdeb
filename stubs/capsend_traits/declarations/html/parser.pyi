from capsend_traits.marks import Serializable

class HTMLParser(Serializable):
    """mutable: it remembers what it has read; pass the text, and create it inside the process"""
