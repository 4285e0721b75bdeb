from capsend_traits.marks import ProcessSend

class _UFunc_Nin1_Nout1(ProcessSend, hidden=True):
    """a function of numpy, by its name"""

class _UFunc_Nin2_Nout1(ProcessSend, hidden=True):
    """a function of numpy, by its name"""

class _UFunc_Nin1_Nout2(ProcessSend, hidden=True):
    """a function of numpy, by its name"""

class _UFunc_Nin2_Nout2(ProcessSend, hidden=True):
    """a function of numpy, by its name"""

class _GUFunc_Nin2_Nout1(ProcessSend, hidden=True):
    """a function of numpy, by its name"""
