from capsend_traits.marks import Serializable

class BaseCookie(Serializable):
    """mutable: a captured cookie would silently become a copy; pass it as an argument, or capture cookie.output()"""

class SimpleCookie(Serializable):
    """mutable: a captured cookie would silently become a copy; pass it as an argument, or capture cookie.output()"""

class Morsel(Serializable):
    """mutable: a captured morsel would silently become a copy; pass it as an argument, or capture morsel.value"""
