import attr

from capsend_traits.marks import Never, ProcessSend

class _Nothing(ProcessSend):
    """the one value NOTHING, rebuilt by name"""

class Attribute(Never):
    """it describes a field of a class, with a read-only view of its metadata; capture attribute.name, or call attrs.fields(cls) inside the process"""

class _CountingAttr(Never):
    """it is a field of a class that is not finished; capture the class"""

class Factory(Never):
    """it belongs to a field of a class; capture the class, or the function factory.factory"""

Converter = attr.Converter
