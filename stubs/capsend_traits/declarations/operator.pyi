from capsend_traits.marks import ProcessSend

class itemgetter(ProcessSend):
    """rebuilt from its keys"""

class attrgetter(ProcessSend):
    """rebuilt from its names"""

class methodcaller(ProcessSend):
    """rebuilt from its name and arguments"""
