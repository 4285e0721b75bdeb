from capsend_traits.marks import Never

class struct_siginfo(Never):
    """its fields depend on the operating system; capture the fields that you need, such as info.si_signo"""
