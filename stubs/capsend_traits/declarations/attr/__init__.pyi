import attr._make

from capsend_traits.marks import Never

class Converter(Never):
    """it belongs to a field of a class; capture the class, or the function that it wraps"""

NOTHING = attr._make._Nothing
_Nothing = attr._make._Nothing
Attribute = attr._make.Attribute
Factory = attr._make.Factory
