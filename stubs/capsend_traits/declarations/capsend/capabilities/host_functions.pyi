from capsend_traits.marks import ProcessSend

class HostFunction(ProcessSend):
    """capturing it is the right to call the function, which runs in the host"""
