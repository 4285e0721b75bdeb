from capsend_traits.marks import Never, ProcessSend

class RawConfigParser(Never):
    """a parser is tied to functions of this process; pass {name: dict(section) for name, section in config.items()} as an argument"""

class ConfigParser(Never):
    """a parser is tied to functions of this process; pass {name: dict(section) for name, section in config.items()} as an argument"""

class SectionProxy(Never):
    """it shows a part of a parser of this process; pass dict(section) as an argument"""

class ConverterMapping(Never):
    """it is tied to a parser of this process; capture the converters that you need, as functions"""

class Interpolation(ProcessSend):
    """it has no state"""

class BasicInterpolation(ProcessSend):
    """it has no state"""

class ExtendedInterpolation(ProcessSend):
    """it has no state"""
