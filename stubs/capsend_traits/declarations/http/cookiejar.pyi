from capsend_traits.marks import Never, ProcessSend, Serializable

class CookieJar(Never):
    """it holds a lock; pass list(jar) as an argument"""

class Cookie(Serializable):
    """mutable: its fields can be changed; capture the data that you need, such as cookie.value"""

class CookiePolicy(ProcessSend):
    """it has no state"""

class DefaultCookiePolicy(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
