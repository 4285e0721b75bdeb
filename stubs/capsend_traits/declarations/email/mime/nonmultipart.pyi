from capsend_traits.marks import Serializable

class MIMENonMultipart(Serializable):
    """mutable: a captured message would silently become a copy; pass it as an argument, or capture message.as_bytes()"""
