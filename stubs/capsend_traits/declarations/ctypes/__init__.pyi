import _ctypes

from capsend_traits.marks import Never

class CDLL(Never):
    """a loaded library is native code of this process; send its name, and do the work in Python inside the process"""

class PyDLL(Never):
    """a loaded library is native code of this process; send its name, and do the work in Python inside the process"""

class LibraryLoader(Never):
    """it loads native code into this process; do the work in Python inside the process"""

class py_object(Never):
    """it points to an object of this process; capture obj.value"""

_Pointer = _ctypes._Pointer
_SimpleCData = _ctypes._SimpleCData
_CFuncPtr = _ctypes.CFuncPtr
_CData = _ctypes._CData
Array = _ctypes.Array
Structure = _ctypes.Structure
Union = _ctypes.Union
