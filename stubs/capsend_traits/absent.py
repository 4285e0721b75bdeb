"""The modules of the standard library that no image has, each with the reason; one table for images and the type checker."""

from __future__ import annotations

from typing import Final

SYSTEM: Final = "it needs the operating system, which WebAssembly does not have"
LIBRARY: Final = "it needs a library in C that CPython for WebAssembly is built without"
NETWORK: Final = "a process has no network"
WINDOW: Final = "it needs a screen and a window system"
ELSEWHERE: Final = "it exists on one operating system only, and a process runs on none"
PROCESSES: Final = "it starts OS processes or interpreters, and a process spawns with capsend instead"
INSTALLING: Final = "it installs Python or packages, and an image is complete as it was built"
CURIOSITY: Final = "it is part of CPython's own tests, documentation or jokes, which no image holds"
REMOVED: Final = "Python {} removed it, and processes run Python 3.14"

_REASONS: Final = {
    SYSTEM: "fcntl grp mmap _posixshmem pty pwd readline resource syslog termios tty",
    LIBRARY: "bz2 _bz2 ctypes _ctypes curses _curses _curses_panel _dbm _gdbm _hashlib lzma _lzma _uuid _zstd",
    NETWORK: "ssl _ssl",
    WINDOW: "idlelib tkinter _tkinter turtle turtledemo",
    ELSEWHERE: "_msi msvcrt nt _overlapped _scproxy _winapi winreg winsound _wmi",
    PROCESSES: "_interpchannels _interpqueues _interpreters _multiprocessing _posixsubprocess",
    INSTALLING: "ensurepip venv",
    CURIOSITY: "antigravity pydoc_data test this xxlimited xxlimited_35 __hello__ __phello__",
    REMOVED.format("3.11"): "binhex _bootsubprocess",
    REMOVED.format("3.12"): "asynchat asyncore distutils imp smtpd",
    REMOVED.format("3.13"): (
        "aifc audioop cgi cgitb chunk crypt _crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd sunau "
        "telnetlib uu xdrlib"
    ),
}
ABSENT: Final = {name: reason for reason, names in _REASONS.items() for name in names.split()}
"""{top-level module: the reason why no image has it}, for the standard library of every supported version of the host."""

HOST_CURE: Final = "let a function of the host do this, made with @host_function, and capture that"


def cure(module: str) -> str:
    """Return the cure for importing a module, or a name in a module, that no image has."""
    reason = ABSENT.get(module.partition(".")[0], SYSTEM)
    return f"{reason}: {HOST_CURE}" if reason == NETWORK else f"do without it: {reason}"
