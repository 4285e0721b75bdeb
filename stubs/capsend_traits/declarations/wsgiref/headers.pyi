from capsend_traits.marks import Serializable

class Headers(Serializable):
    """mutable: captured headers would silently become a copy; pass them as an argument, or capture tuple(headers.items())"""
