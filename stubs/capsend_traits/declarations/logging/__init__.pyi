from capsend_traits.marks import Never, ProcessSend, Serializable

class Logger(ProcessSend):
    """rebuilt by name in the process"""

class RootLogger(ProcessSend):
    """rebuilt by name in the process"""

class Handler(Never):
    """a handler writes to files or connections of this process; configure logging inside the process"""

class LoggerAdapter(Serializable):
    """its extra values can be changed; capture the logger, and create the adapter inside the process"""

class Formatter(Serializable):
    """its format can be changed; create it inside the process"""

class Filter(Serializable):
    """its name can be changed; create it inside the process"""

class LogRecord(Never):
    """it may hold an exception and frames of this process; capture record.getMessage()"""

class Manager(Never):
    """it is the tree of all loggers of this process; capture one logger, which is rebuilt by name"""

class PlaceHolder(Never):
    """it is the tree of all loggers of this process; capture one logger, which is rebuilt by name"""

class BufferingFormatter(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""

class Filterer(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
