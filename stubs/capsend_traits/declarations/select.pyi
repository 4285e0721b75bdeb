from capsend_traits.marks import Never

class poll(Never, hidden=True):
    """it watches files of this process; keep it in the parent, and pass the data as an argument"""

class epoll(Never):
    """it watches files of this process; keep it in the parent, and pass the data as an argument"""
