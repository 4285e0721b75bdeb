from capsend_traits.marks import Never, ProcessSend

class Field(Never):
    """it describes a field of a class; capture field.name, or call dataclasses.fields(cls) inside the process"""

class _MISSING_TYPE(ProcessSend):
    """the one value MISSING, rebuilt by name"""
