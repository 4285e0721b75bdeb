from capsend_traits.marks import ProcessSend

class NormalDist(ProcessSend):
    """immutable: rebuilt from its mean and deviation"""
