from typing import Generic, TypeVar

from capsend_traits.marks import Never, Serializable

T = TypeVar("T")

class Popen(Never):
    """it controls a process of the operating system; run it in the parent, and pass what it prints"""

class CompletedProcess(Serializable, Generic[T]):
    """mutable: a captured result would silently become a copy; capture what you need of it, such as run.stdout"""
