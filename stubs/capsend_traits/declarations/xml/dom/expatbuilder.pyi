from capsend_traits.marks import Never

class Namespaces(Never):
    """it parses a document with C code; pass the text, and parse it inside the process"""

class ExpatBuilder(Never):
    """it parses a document with C code; pass the text, and parse it inside the process"""
