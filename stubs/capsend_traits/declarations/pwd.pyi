from capsend_traits.marks import Never

class struct_passwd(Never):
    """its fields depend on the operating system; capture the fields that you need, such as p.pw_name"""
