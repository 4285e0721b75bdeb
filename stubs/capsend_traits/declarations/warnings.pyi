from capsend_traits.marks import Never

class WarningMessage(Never):
    """it holds a warning, which is an exception; capture str(message.message)"""

class catch_warnings(Never):
    """it restores the warnings of this process; call warnings.catch_warnings() inside the process"""
