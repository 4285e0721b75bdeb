import sys
import types

from capsend_traits.marks import ProcessSend

class auto(ProcessSend):
    """a placeholder in the body of an Enum"""

class property(Never):
    """a property works only as an attribute of its class; capture the class"""

DynamicClassAttribute = types.DynamicClassAttribute

if sys.version_info >= (3, 11):
    class verify(ProcessSend):
        """immutable: rebuilt from its checks"""
