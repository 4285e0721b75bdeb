from capsend_traits.marks import Never, ProcessSend

class PurePath(ProcessSend):
    """immutable"""

class PurePosixPath(ProcessSend):
    """immutable"""

class PureWindowsPath(ProcessSend):
    """immutable"""

class Path(ProcessSend):
    """immutable: the path travels, not the file that it names"""

class PosixPath(ProcessSend):
    """immutable: the path travels, not the file that it names"""

class WindowsPath(Never):
    """it cannot be created in a process, whose paths are POSIX paths; capture pathlib.PureWindowsPath(path)"""
