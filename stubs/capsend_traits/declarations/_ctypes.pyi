from capsend_traits.marks import Never

class _CData(Never, hidden=True):
    """it lives in native memory of this process; capture its value, or bytes(...) of it"""

class _SimpleCData(Never):
    """it lives in native memory of this process; capture its .value"""

class _Pointer(Never):
    """a pointer is an address in the memory of this process; capture its target, such as pointer.contents.value"""

class CFuncPtr(Never):
    """it is the address of native code of this process; do the work in Python inside the process"""

class Array(Never):
    """it lives in native memory of this process; capture tuple(array), or bytes(array)"""

class Structure(Never):
    """it lives in native memory of this process; capture its fields, or bytes(structure)"""

class Union(Never):
    """it lives in native memory of this process; capture its fields, or bytes(union)"""

class CField(Never, hidden=True):
    """a descriptor works only as an attribute of its class; capture the class"""

_CField = CField
