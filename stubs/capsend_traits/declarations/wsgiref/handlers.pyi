from capsend_traits.marks import Never

class BaseHandler(Never):
    """it serves a request to this process; keep it here, and pass the data as an argument"""
