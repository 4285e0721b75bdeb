import _weakrefset

from capsend_traits.marks import Never

class ReferenceType(Never):
    """a weak reference points to an object of this process; capture the object itself, or the fields that you need of it"""

class ProxyType(Never):
    """a weak proxy points to an object of this process; capture the object itself, or the fields that you need of it"""

class CallableProxyType(Never):
    """a weak proxy points to an object of this process; capture the object itself, or the fields that you need of it"""

class WeakMethod(Never):
    """a weak reference points to an object of this process; capture the bound method itself"""

class KeyedRef(Never):
    """a weak reference points to an object of this process; capture the object itself, or the fields that you need of it"""

class WeakKeyDictionary(Never):
    """its weak references point to objects of this process; pass dict(...) of it as an argument"""

class WeakValueDictionary(Never):
    """its weak references point to objects of this process; pass dict(...) of it as an argument"""

class finalize(Never):
    """a finalizer watches an object of this process; create it inside the process"""

ref = ReferenceType
WeakSet = _weakrefset.WeakSet
