from capsend_traits.marks import Never, ProcessSend, Serializable

class DictReader(Never):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(...) of the rows that are left, or pass the text"""

class DictWriter(Never):
    """it writes to a file of this process; return the rows, and write them in the parent"""

class Dialect(ProcessSend):
    """has no state of its own"""

class excel(ProcessSend):
    """has no state of its own"""

class excel_tab(ProcessSend):
    """has no state of its own"""

class unix_dialect(ProcessSend):
    """has no state of its own"""

class Sniffer(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
