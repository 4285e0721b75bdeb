from capsend_traits.marks import Never, ProcessSend, Serializable

class Pattern(ProcessSend):
    """immutable: rebuilt from its source and flags"""

class Match(Never):
    """a match cannot be rebuilt from bytes; capture match.group(), match.groups() or match.span()"""

class Scanner(Serializable):
    """it can be changed, so a captured one would silently become a copy; create it inside the process"""
