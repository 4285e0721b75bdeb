from typing import Generic, TypeVar

from capsend_traits.marks import Serializable

T = TypeVar("T")

class SequenceMatcher(Serializable, Generic[T]):
    """mutable: it remembers what it has compared; pass it as an argument, or create it inside the process"""

class Differ(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""

class HtmlDiff(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
