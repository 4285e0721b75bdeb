from capsend_traits.marks import Serializable

class MimeTypes(Serializable):
    """mutable: a captured table would silently become a copy; pass it as an argument, or create it inside the process"""
