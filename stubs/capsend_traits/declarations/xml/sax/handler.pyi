from capsend_traits.marks import ProcessSend, Serializable

class ErrorHandler(ProcessSend):
    """it has no state"""

class DTDHandler(ProcessSend):
    """it has no state"""

class EntityResolver(ProcessSend):
    """it has no state"""

class LexicalHandler(ProcessSend):
    """it has no state"""

class ContentHandler(Serializable):
    """mutable: it knows the reader that uses it; create it inside the process"""
