from capsend_traits.marks import Never

class QueueListener(Never):
    """it is a thread of this process; configure logging inside the process"""
