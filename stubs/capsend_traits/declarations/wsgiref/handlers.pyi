from capsend_traits.marks import Never

class BaseHandler(Never):
    """it serves a request to this process; keep it in the parent, and pass the data as an argument"""
