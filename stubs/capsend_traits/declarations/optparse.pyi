from capsend_traits.marks import Never, Serializable

class Values(Serializable):
    """mutable: a captured set of options would silently become a copy; pass it as an argument, or capture its fields one by one"""

class OptionParser(Never):
    """a parser is tied together from functions and files of this process; parse in the parent, and pass the values as an argument"""

class HelpFormatter(Never):
    """it belongs to a parser of this process; create it inside the process"""
