from capsend_traits.marks import Never, ProcessSend, Serializable

class DocTestParser(ProcessSend):
    """it has no state"""

class OutputChecker(ProcessSend):
    """it has no state"""

class DocTestFinder(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""

class Example(Serializable):
    """mutable: a captured example would silently become a copy; pass it as an argument, or capture its source and want"""

class DocTestRunner(Never):
    """it runs tests in this process; create it inside the process"""
