from capsend_traits.marks import Serializable

class Parser(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""

class BytesParser(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""

class HeaderParser(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""

class BytesHeaderParser(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
