from capsend_traits.marks import Never

class zipimporter(Never):
    """it imports modules of this process; import the module inside the process"""
