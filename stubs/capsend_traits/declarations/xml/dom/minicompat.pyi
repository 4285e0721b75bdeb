from typing import Generic, TypeVar

from capsend_traits.marks import ProcessSend, Serializable

T = TypeVar("T")

class NodeList(Serializable, Generic[T]):
    """mutable: a captured list of nodes would silently become a copy; pass the text, and parse it inside the process"""

class EmptyNodeList(ProcessSend):
    """it holds nothing"""
