from capsend_traits.marks import Serializable

class RobotFileParser(Serializable):
    """mutable: a captured set of rules would silently become a copy; pass it as an argument, or create it inside the process"""
