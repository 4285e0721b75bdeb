from capsend_traits.marks import Never

class Doc(Never):
    """it documents the modules of this process; create it inside the process"""

class HTMLRepr(Never):
    """it documents the modules of this process; create it inside the process"""

class TextRepr(Never):
    """it documents the modules of this process; create it inside the process"""

class ModuleScanner(Never):
    """it documents the modules of this process; create it inside the process"""

class Helper(Never):
    """it documents the modules of this process; create it inside the process"""
