import sys

from capsend_traits.marks import Never

class flags(Never, hidden=True):
    """it describes the interpreter of this process; capture tuple(...) of it, or read it from sys inside the process"""

class float_info(Never, hidden=True):
    """it describes the interpreter of this process; capture tuple(...) of it, or read it from sys inside the process"""

class hash_info(Never, hidden=True):
    """it describes the interpreter of this process; capture tuple(...) of it, or read it from sys inside the process"""

class int_info(Never, hidden=True):
    """it describes the interpreter of this process; capture tuple(...) of it, or read it from sys inside the process"""

class thread_info(Never, hidden=True):
    """it describes the interpreter of this process; capture tuple(...) of it, or read it from sys inside the process"""

class version_info(Never, hidden=True):
    """it describes the interpreter of this process; capture tuple(...) of it, or read it from sys inside the process"""

_flags = flags
_float_info = float_info
_hash_info = hash_info
_int_info = int_info
_thread_info = thread_info
_version_info = version_info
