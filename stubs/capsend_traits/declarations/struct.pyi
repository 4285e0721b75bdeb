import _struct

Struct = _struct.Struct
