import types

from capsend_traits.marks import Never, ProcessSend

class auto(ProcessSend):
    """a placeholder in the body of an Enum"""

class property(Never):
    """a property works only as an attribute of its class; capture the class"""

DynamicClassAttribute = types.DynamicClassAttribute
