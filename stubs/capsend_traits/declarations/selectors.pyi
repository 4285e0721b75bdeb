from capsend_traits.marks import Never

class BaseSelector(Never):
    """it watches files of this process; keep it in the parent, and pass the data as an argument"""
