from capsend_traits.marks import Serializable

class Charset(Serializable):
    """mutable: its fields can be changed; capture charset.input_charset"""
