from capsend_traits.marks import Serializable

class Compile(Serializable):
    """mutable: it remembers the future statements that it has compiled; create it inside the process"""

class CommandCompiler(Serializable):
    """mutable: it remembers the future statements that it has compiled; create it inside the process"""
