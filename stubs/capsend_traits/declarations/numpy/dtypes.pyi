from capsend_traits.marks import ProcessSend

class BoolDType(ProcessSend):
    """immutable: the form of items"""

class Int8DType(ProcessSend):
    """immutable: the form of items"""

class Int16DType(ProcessSend):
    """immutable: the form of items"""

class Int32DType(ProcessSend):
    """immutable: the form of items"""

class Int64DType(ProcessSend):
    """immutable: the form of items"""

class UInt8DType(ProcessSend):
    """immutable: the form of items"""

class UInt16DType(ProcessSend):
    """immutable: the form of items"""

class UInt32DType(ProcessSend):
    """immutable: the form of items"""

class UInt64DType(ProcessSend):
    """immutable: the form of items"""

class LongLongDType(ProcessSend):
    """immutable: the form of items"""

class ULongLongDType(ProcessSend):
    """immutable: the form of items"""

class Float16DType(ProcessSend):
    """immutable: the form of items"""

class Float32DType(ProcessSend):
    """immutable: the form of items"""

class Float64DType(ProcessSend):
    """immutable: the form of items"""

class Complex64DType(ProcessSend):
    """immutable: the form of items"""

class Complex128DType(ProcessSend):
    """immutable: the form of items"""

class StrDType(ProcessSend):
    """immutable: the form of items"""

class BytesDType(ProcessSend):
    """immutable: the form of items"""

class VoidDType(ProcessSend):
    """immutable: the form of items"""

class DateTime64DType(ProcessSend):
    """immutable: the form of items"""

class TimeDelta64DType(ProcessSend):
    """immutable: the form of items"""

IntDType = Int32DType
UIntDType = UInt32DType
LongDType = Int64DType
ULongDType = UInt64DType
