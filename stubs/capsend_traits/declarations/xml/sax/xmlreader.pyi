from capsend_traits.marks import Never, ProcessSend, Serializable

class XMLReader(Never):
    """it has read a document in part; pass the text, and parse it inside the process"""

class Locator(ProcessSend):
    """it has no state"""

class InputSource(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
