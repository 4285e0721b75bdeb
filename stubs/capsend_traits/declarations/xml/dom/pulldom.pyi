from capsend_traits.marks import Never, ProcessSend

class DOMEventStream(Never):
    """it has read a document in part; pass the text, and parse it inside the process"""

class PullDOM(Never):
    """it has read a document in part; pass the text, and parse it inside the process"""

class ErrorHandler(ProcessSend):
    """it has no state"""
