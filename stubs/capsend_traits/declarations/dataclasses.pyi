from capsend_traits.marks import Never

class Field(Never):
    """it describes a field of a class; capture field.name, or call dataclasses.fields(cls) inside"""

class _MISSING_TYPE(Never):
    """a copied sentinel is another object, which no test would recognise; write dataclasses.MISSING inside"""
