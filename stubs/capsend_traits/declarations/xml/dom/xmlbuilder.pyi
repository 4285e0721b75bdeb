from capsend_traits.marks import ProcessSend, Serializable

class Options(ProcessSend):
    """it has no state"""

class DOMBuilderFilter(ProcessSend):
    """it has no state"""

class DocumentLS(ProcessSend):
    """it has no state"""

class DOMImplementationLS(ProcessSend):
    """it has no state"""

class DOMBuilder(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""

class DOMEntityResolver(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""

class DOMInputSource(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
