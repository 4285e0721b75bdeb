from capsend_traits.marks import Never, Serializable

class Namespace(Serializable):
    """mutable: a captured namespace would silently become a copy; pass it as an argument, or capture its fields one by one"""

class ArgumentParser(Never):
    """a parser is tied together from functions and files of this process; parse in the parent, and pass the Namespace as an argument"""

class FileType(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
