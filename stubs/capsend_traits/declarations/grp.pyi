from capsend_traits.marks import Never

class struct_group(Never):
    """its fields depend on the operating system; capture the fields that you need, such as g.gr_name"""
