from capsend_traits.marks import Never

class BaseBrowser(Never):
    """it starts a browser on this machine; return the address, and open it in the parent"""
