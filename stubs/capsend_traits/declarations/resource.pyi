from capsend_traits.marks import Never

class struct_rusage(Never):
    """its fields depend on the operating system; capture the fields that you need, such as usage.ru_maxrss"""
