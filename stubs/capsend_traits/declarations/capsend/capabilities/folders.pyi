from capsend_traits.marks import ProcessSend

class Dir(ProcessSend):
    """capturing it is the right to use the folder"""
