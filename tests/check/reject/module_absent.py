"""A module that does not exist inside a process is refused where it is used."""

import ctypes
import imghdr
import ssl

from capsend import spawn


def size() -> int:
    return ctypes.sizeof(ctypes.c_int)  # E: global "ctypes" is a module, which is not in the image  [capsend-global]


def f() -> None:
    spawn(size)
    spawn(lambda: ssl.OPENSSL_VERSION)  # E: global "ssl" is a module, which is not in the image


def kind(data: bytes) -> str | None:
    return imghdr.what("", data)  # E: global "imghdr" is a module, which is not in the image  [capsend-global]
    # N: do without it: Python 3.13 removed it


def g() -> None:
    spawn(kind, b"")


def optional() -> str:
    try:
        import hypothesis
    except ImportError:
        return "none"
    return hypothesis.__name__  # E: global "hypothesis" is a module, which is not in the image  [capsend-global]
    # N: put the package into the image, Image(packages=["hypothesis"])


def h() -> None:
    spawn(optional)
