from capsend_traits.marks import ProcessSend

class _ConstructorEmpty(ProcessSend, hidden=True):
    """a function of numpy, by its name"""
