from capsend_traits.marks import Never, Serializable

class BaseManager(Never):
    """a manager is a process of the operating system; pass the values as an argument"""

class SyncManager(Never):
    """a manager is a process of the operating system; pass the values as an argument"""

class SharedMemoryManager(Never):
    """a manager is a process of the operating system; pass the values as an argument"""

class BaseProxy(Never):
    """a proxy talks to a manager process of this one; pass a copy of the value as an argument"""

class Server(Never):
    """it serves a manager process; pass the values as an argument"""

class Namespace(Serializable):
    """mutable: a captured namespace would silently become a copy; pass it as an argument, or capture its fields one by one"""
