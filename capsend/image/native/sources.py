"""Files from the package index, pinned by their digests: a download is neither used nor run before its digest has been checked."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import attrs

from capsend.exceptions import ImageError
from capsend.image.native.place import EXTRA

if TYPE_CHECKING:
    from pathlib import Path

_INDEX: Final = "https://pypi.org/simple/"


@attrs.frozen
class Source:
    """One file of a package on the index.

    Attributes:
        sha256: its digest as hexadecimal digits; empty for a package without a recipe: then the digest is reported, not
            compared.
        wheel: True if the file is a wheel, False for an sdist.
    """

    name: str
    version: str
    sha256: str
    wheel: bool = False


def fetch(source: Source, folder: Path) -> Path:
    """Download a file into a folder, from the index that pip is configured to use.

    Returns:
        The path of the file; its digest has been checked.

    Raises:
        ImageError: the extra is not installed; the index cannot be reached or lacks the file; the digest differs.
    """
    try:
        from unearth import PackageFinder
    except ImportError as error:
        raise ImageError(
            f"packages cannot be built: the tools for it are not installed. Install them: {EXTRA}"
        ) from error
    kind = "wheel" if source.wheel else "sdist"
    requirement = f"{source.name}=={source.version}" if source.version else source.name
    options: dict[str, Any] = {"only_binary" if source.wheel else "no_binary": [":all:"]}
    try:
        finder = PackageFinder(index_urls=[_index()], **options)
        links = [package.link for package in finder.find_matches(requirement) if package.link.is_wheel == source.wheel]
        answer = finder.session.get(links[0].normalized) if links else None
        if answer is not None:
            answer.raise_for_status()
    except Exception as error:  # the client of the index raises errors of several libraries
        raise ImageError(f"the {kind} of {requirement} cannot be downloaded: {error}. Is there a network?") from error
    if answer is None:
        raise ImageError(f"the package index has no {kind} of {requirement}. Check the name and the version")
    content: bytes = answer.content
    checked(content, source)
    path = folder / links[0].filename
    path.write_bytes(content)
    return path


def checked(content: bytes, source: Source) -> str:
    """Return the digest of a file, as hexadecimal digits.

    Raises:
        ImageError: the digest differs from the source's.
    """
    import hashlib

    found = hashlib.sha256(content).hexdigest()
    if source.sha256 and found != source.sha256:
        raise ImageError(
            f"the file of {source.name} {source.version} is not the file that the recipe names: its SHA-256 is {found}, "
            f"not {source.sha256}. Nothing of it was run"
        )
    return found


def _index() -> str:
    """Return the address of the package index that pip uses."""
    if chosen := os.environ.get("PIP_INDEX_URL"):
        return chosen
    import shlex
    import subprocess

    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our interpreter
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        if name.rpartition(".")[2] == "index-url":
            return "".join(shlex.split(value))
    return _INDEX
