"""Compiled code in the cache: loading it runs it, so it must belong to this user alone and be made for this CPU."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import stat
from pathlib import Path
from typing import Final

from capsend.exceptions import ImageError

_UNKNOWN_OWNER: Final = 65_534  # in a container, the user ID for users outside the container


def cpu() -> str:
    """Return the CPU's features as reported by the system; compiled code may use all of them."""
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
        ImageError: the folder cannot be made, or others may write to it (loading an image runs it as native code).
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        check_way(folder)
        check_owner(folder, stat.S_ISDIR)
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> ImageError:
    """Return the error of a cache that cannot be written."""
    return ImageError(f"images cannot be kept in {folder}: {error}. Set CAPSEND_CACHE_DIR to a folder of yours")


def check_owner(path: Path, is_kind: object) -> None:
    """Refuse a file or folder that others may have written.

    Raises:
        ImageError: the path does not belong to this user alone, or is not of that kind.
        OSError: the path does not exist.
    """
    status = path.lstat()
    if not is_kind(status.st_mode):  # type: ignore[operator] # one of the stat.S_IS... functions
        raise ImageError(
            f"{path} is not a folder of this user, perhaps a symbolic link: images are not loaded through it. Remove it"
        )
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise ImageError(
            f"{path} belongs to another user, and loading an image runs it as native code. "
            "Remove it, or set CAPSEND_CACHE_DIR to a folder of yours"
        )
    if os.name == "posix" and status.st_mode & 0o022:
        raise ImageError(
            f"{path} can be written by other users, and loading an image runs it as native code. "
            f"Remove it, or, if you trust its content: chmod -R go-w {path}"
        )


def check_readable(path: Path, status: os.stat_result) -> None:
    """Refuse the file of an image that users other than this one and the system's may have written.

    Args:
        path: the file.
        status: the status of the open file.

    Raises:
        ImageError: another user owns the file, can write to it, or could replace it.
    """
    if hasattr(os, "geteuid") and (status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o022):
        raise ImageError(
            f"{path} belongs to another user, or can be written by others, and an image controls the results of your functions. "
            "Copy it to a file of your own, or name the digest that it must have: Image.from_file(path, digest=...)"
        )
    check_way(path)


def check_way(folder: Path) -> None:
    """Refuse a folder or file that others could rename.

    Every folder on its path must belong to this user or the system, and be writable by no other user.

    Raises:
        ImageError: another user could replace a folder.
        OSError: the folder does not exist.
    """
    if not hasattr(os, "geteuid"):
        return
    trusted = {0, os.geteuid(), _UNKNOWN_OWNER}
    for around in Path(os.path.realpath(folder)).parents:
        status = around.stat()
        if status.st_mode & stat.S_ISVTX and status.st_uid in trusted:
            continue  # sticky, like /tmp: no user may rename another user's file
        open_to_others = status.st_mode & stat.S_IWOTH or (
            status.st_mode & stat.S_IWGRP and status.st_gid not in _own()
        )
        if status.st_uid not in trusted or open_to_others:
            raise ImageError(
                f"{around} belongs to another user, or can be written by others, who could put another folder in the place of {folder}: "
                "loading an image runs it as native code. Set CAPSEND_CACHE_DIR to a folder that only you can reach"
            )


def _own() -> set[int]:
    """Return the groups that belong to the system, or, by the group database, to this user alone."""
    return {0, os.getegid()}
