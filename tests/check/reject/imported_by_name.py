"""A module that `import_module` names by a constant is checked: whether every process has it, and the attributes read from it."""

import importlib
import threading
from importlib import import_module

from capsend import spawn

LOCK = threading.Lock()


def absent() -> str:
    return str(import_module("tkinter").TkVersion)  # E: global "tkinter" is a module, which is not in the image


def f() -> None:
    spawn(absent)
    spawn(lambda: importlib.import_module("ssl").OPENSSL_VERSION)  # E: global "ssl" is a module, which is not in the image
    spawn(lambda: hash(import_module("reject_imported_by_name").LOCK))  # E: global "LOCK" is lock
    spawn(lambda: importlib.import_module("json").dumps([1]))
