import numpy

# The class of each kind of dtype derives from numpy.dtype, and is sent as that is.
BoolDType = numpy.dtype
Int8DType = numpy.dtype
Int16DType = numpy.dtype
Int32DType = numpy.dtype
Int64DType = numpy.dtype
UInt8DType = numpy.dtype
UInt16DType = numpy.dtype
UInt32DType = numpy.dtype
UInt64DType = numpy.dtype
LongLongDType = numpy.dtype
ULongLongDType = numpy.dtype
Float16DType = numpy.dtype
Float32DType = numpy.dtype
Float64DType = numpy.dtype
Complex64DType = numpy.dtype
Complex128DType = numpy.dtype
StrDType = numpy.dtype
BytesDType = numpy.dtype
VoidDType = numpy.dtype
DateTime64DType = numpy.dtype
TimeDelta64DType = numpy.dtype
IntDType = Int32DType
UIntDType = UInt32DType
LongDType = Int64DType
ULongDType = UInt64DType
