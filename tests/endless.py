"""Functions that run until their process is stopped."""

import os
import time
from typing import NoReturn

from capsend import Dir


def busy() -> NoReturn:
    """Compute."""
    print("busy")
    while True:
        pass


def asleep() -> None:
    """Sleep for longer than any test waits."""
    print("asleep")
    time.sleep(600)


def swap_file_and_pipe(folder: Dir) -> NoReturn:
    """Let one path of a folder be a file and a pipe by turns."""
    file, pipe, path = (str(folder / name) for name in ("plain", "pipe", "path"))
    while True:
        os.rename(file, path)
        os.rename(path, file)
        os.rename(pipe, path)
        os.rename(path, pipe)
