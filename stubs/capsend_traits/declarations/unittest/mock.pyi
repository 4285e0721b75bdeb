from capsend_traits.marks import Never

class NonCallableMock(Never):
    """a mock records the calls of this process; use a small class of your own in its place"""

class Base(Never):
    """a mock records the calls of this process; use a small class of your own in its place"""

class CallableMixin(Never):
    """a mock records the calls of this process; use a small class of your own in its place"""

class MagicMixin(Never):
    """a mock records the calls of this process; use a small class of your own in its place"""

class AsyncMagicMixin(Never):
    """a mock records the calls of this process; use a small class of your own in its place"""
