from typing import Generic, TypeVar

from capsend_traits.marks import Never, Serializable

T = TypeVar("T")

class Popen(Never):
    """it controls a process of the operating system; run it in the parent, and pass its output"""

class CompletedProcess(Serializable, Generic[T]):
    """mutable: a captured result would silently become a copy; capture the data that you need, such as run.stdout"""
