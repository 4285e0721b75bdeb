from capsend_traits.marks import Never

class dict_keys(Never):
    """a view shows a dict of this process; pass the dict as an argument, or capture tuple(view)"""

class dict_values(Never):
    """a view shows a dict of this process; pass the dict as an argument, or capture tuple(view)"""

class dict_items(Never):
    """a view shows a dict of this process; pass the dict as an argument, or capture tuple(view)"""
