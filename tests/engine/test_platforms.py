"""Features that other systems lack are not needed at import; the tests remove them. See `docs/platforms.md` for systems that were never tried."""

from __future__ import annotations

import subprocess
import sys

HOBBLED = """\
import sys, os, pkgutil, importlib
import asyncio, concurrent.futures, multiprocessing.connection, shutil, sqlite3, subprocess, tempfile, zoneinfo, uuid
import attrs, click, filelock, platformdirs, rich.console, rich.live, rich.progress, rich.syntax, wasmtime.component
for module in ("resource", "fcntl", "termios", "tty", "pty", "pwd", "grp", "readline"):
    sys.modules[module] = None
for name in (
    "fork", "forkpty", "waitpid", "memfd_create", "MFD_CLOEXEC", "pread", "preadv", "pwrite", "pidfd_open", "sched_getaffinity", "sysconf",
    "geteuid", "getegid", "getuid", "O_CLOEXEC", "O_DIRECTORY", "O_NONBLOCK", "O_NOFOLLOW", "O_PATH", "mkfifo", "register_at_fork",
):
    delattr(os, name)
import signal, time, mmap
for owner, names in (signal, ("SIGURG", "SIGRTMIN", "SIGRTMAX", "siginterrupt")), (time, ("pthread_getcpuclockid",)), (mmap, ("MAP_PRIVATE",)):
    for name in names:
        delattr(owner, name)
import capsend
LEFT_OUT = (  # the guest's own, and modules that need the packages of an extra
    "capsend.guest", "capsend.__main__", "capsend.commands.showcase.", "capsend.cluster.engines.ray", "capsend.cluster.authority",
)
count = 0
for module in pkgutil.walk_packages(capsend.__path__, "capsend."):
    if not module.name.startswith(LEFT_OUT):
        importlib.import_module(module.name)
        count += 1
from pathlib import Path
from capsend import engine
from capsend.engine import openings, prefault, wasi
from capsend.image.cache import check_way
assert engine.survey(Path("nowhere"), None) == (None, [])
assert wasi.has_room_for_files()
assert openings._signal() is None
assert prefault._call(1) is None
check_way(Path("."))
print("imported", count > 100)
"""


def test_modules_and_functions_of_posix_and_linux_are_not_needed_at_import() -> None:
    """As on Windows: no resource, no fork, no signals of POSIX, no descriptors of folders; all of capsend can be imported."""
    done = subprocess.run([sys.executable, "-c", HOBBLED], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "imported True\n", done.stderr
