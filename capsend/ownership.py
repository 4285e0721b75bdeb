"""Compiled code in the cache: loading it runs it, so it must be this user's own and made for this CPU."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import stat
from typing import TYPE_CHECKING

from capsend.exceptions import ImageError

if TYPE_CHECKING:
    from pathlib import Path


def cpu() -> str:
    """What this CPU can do, as far as the system says; compiled code may use all of it."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    return hashlib.sha256(line.encode()).hexdigest()[:16]
    except OSError:
        pass
    return platform.processor()


def own_folder(folder: Path) -> None:
    """Make the cache folder, for this user alone.

    Raises:
        ImageError: it cannot be made, or others may write to it: loading an image runs it as native code.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        check_owner(folder, stat.S_ISDIR)
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> ImageError:
    """The error of a cache that cannot be written."""
    return ImageError(f"images cannot be kept in {folder}: {error}. Set CAPSEND_CACHE_DIR to a folder of yours")


def check_owner(path: Path, is_kind: object) -> None:
    """Refuse what others may have written.

    Raises:
        ImageError: it is not this user's alone, or not of that kind.
        OSError: it is not there.
    """
    status = path.lstat()
    if not is_kind(status.st_mode):  # type: ignore[operator] # one of the stat.S_IS... functions
        raise ImageError(
            f"{path} is not what it should be, perhaps a symbolic link: images are not loaded through it. Remove it"
        )
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise ImageError(
            f"{path} belongs to another user, and loading an image runs it as native code. "
            "Remove it, or set CAPSEND_CACHE_DIR to a folder of yours"
        )
    if os.name == "posix" and status.st_mode & 0o022:
        raise ImageError(
            f"{path} can be written by other users, and loading an image runs it as native code. "
            f"Remove it, or, if you trust what is in it: chmod -R go-w {path}"
        )
