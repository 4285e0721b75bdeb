from capsend_traits.marks import Never

class Misc(Never):
    """it belongs to a window of this process; capture its value, and update the window with the result"""

class Variable(Never):
    """it belongs to a window of this process; capture its value, and update the window with the result"""

class Image(Never):
    """it belongs to a window of this process; capture its value, and update the window with the result"""
