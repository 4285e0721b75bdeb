from capsend_traits.marks import Serializable

class Header(Serializable):
    """mutable: a captured header would silently become a copy; capture str(header)"""
