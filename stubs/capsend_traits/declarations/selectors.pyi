from capsend_traits.marks import Never

class BaseSelector(Never):
    """it watches files of this process; keep it here, and pass the data as an argument"""
