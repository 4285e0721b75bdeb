from capsend_traits.marks import Never, ProcessSend, Serializable

class ndarray(Serializable):
    """mutable: a captured array would silently become a copy; pass it as an argument, or capture array.tobytes() and rebuild it in the process with numpy.frombuffer"""

class dtype(ProcessSend):
    """immutable: the form of items"""

class void(Serializable):
    """mutable: a captured record would silently become a copy; pass it as an argument, or capture record.item()"""

class matrix(Never):
    """numpy discourages it; send numpy.asarray(matrix)"""

class object_(Never):
    """items that are Python objects are no memory; send array.tolist()"""

class memmap(Never):
    """a memory map belongs to a file of this process; grant the folder of the file, and read it in the process"""

class nditer(Never):
    """an iterator is a position that moves, and a copy would move on its own; make it inside the process"""

class flatiter(Never):
    """an iterator is a position that moves, and a copy would move on its own; make it inside the process"""

class generic(ProcessSend):
    """immutable: one number or text"""

class bool(ProcessSend):
    """immutable: one number or text"""

class number(ProcessSend):
    """immutable: one number or text"""

class integer(ProcessSend):
    """immutable: one number or text"""

class signedinteger(ProcessSend):
    """immutable: one number or text"""

class unsignedinteger(ProcessSend):
    """immutable: one number or text"""

class inexact(ProcessSend):
    """immutable: one number or text"""

class floating(ProcessSend):
    """immutable: one number or text"""

class complexfloating(ProcessSend):
    """immutable: one number or text"""

class flexible(ProcessSend):
    """immutable: one number or text"""

class character(ProcessSend):
    """immutable: one number or text"""

class int8(ProcessSend):
    """immutable: one number or text"""

class int16(ProcessSend):
    """immutable: one number or text"""

class int32(ProcessSend):
    """immutable: one number or text"""

class int64(ProcessSend):
    """immutable: one number or text"""

class uint8(ProcessSend):
    """immutable: one number or text"""

class uint16(ProcessSend):
    """immutable: one number or text"""

class uint32(ProcessSend):
    """immutable: one number or text"""

class uint64(ProcessSend):
    """immutable: one number or text"""

class longlong(ProcessSend):
    """immutable: one number or text"""

class ulonglong(ProcessSend):
    """immutable: one number or text"""

class float16(ProcessSend):
    """immutable: one number or text"""

class float32(ProcessSend):
    """immutable: one number or text"""

class float64(ProcessSend):
    """immutable: one number or text"""

class complex64(ProcessSend):
    """immutable: one number or text"""

class complex128(ProcessSend):
    """immutable: one number or text"""

class str_(ProcessSend):
    """immutable: one number or text"""

class bytes_(ProcessSend):
    """immutable: one number or text"""

class datetime64(ProcessSend):
    """immutable: one number or text"""

class timedelta64(ProcessSend):
    """immutable: one number or text"""

bool_ = bool
intc = int32
uintc = uint32
long = int64
ulong = uint64
