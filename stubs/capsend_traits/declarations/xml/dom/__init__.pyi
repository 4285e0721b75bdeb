from capsend_traits.marks import ProcessSend

class Node(ProcessSend):
    """it has no state"""

class UserDataHandler(ProcessSend):
    """it has no state"""
