from capsend_traits.marks import Serializable

class TopologicalSorter(Serializable):
    """mutable: a captured sorter would silently become a copy; pass it as an argument, or create it inside the process"""
