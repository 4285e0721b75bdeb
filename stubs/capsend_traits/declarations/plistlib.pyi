from capsend_traits.marks import Serializable

class UID(Serializable):
    """its number can be replaced; capture uid.data"""
