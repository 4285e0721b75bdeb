from capsend_traits.marks import Never, Serializable

class CookieJar(Never):
    """it holds a lock; pass list(jar) as an argument"""

class Cookie(Serializable):
    """mutable: its fields can be changed; capture what you need of it, such as cookie.value"""
