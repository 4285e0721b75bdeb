from capsend_traits.marks import ProcessSend, Serializable

class Template(Serializable):
    """its text can be replaced, so a captured one would silently become a copy; capture t.template, and create string.Template inside the process"""

class Formatter(ProcessSend):
    """has no state of its own"""
