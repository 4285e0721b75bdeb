from capsend_traits.marks import Never

class UCD(Never):
    """it is a table in C code; import unicodedata inside the process"""
