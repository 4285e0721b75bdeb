"""Image files on a node: home sends each file once, by its digest, and the node compiles it for its own machine."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from capsend.cluster.items import LARGEST_BODY, Malformed
from capsend.exceptions import ImageError
from capsend.image.image import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from capsend.cluster.items import Item

_MOST: Final = 100
"""The most image files of one home on a node."""


class Images:
    """The image files that a node has got from its home.

    A file contains WebAssembly, not machine code: it is checked and compiled as by `Image.from_file`, when a process
    first needs it.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._images: dict[str, Image | ImageError] = {}
        self._coming: dict[str, Path] = {}

    def take(self, item: Item) -> None:
        """Keep a part of a file sent by home.

        Raises:
            Malformed: the file is too large, or the node has too many.
        """
        digest, is_last = item.fields
        path = self._coming.get(digest)
        if path is None:
            if digest in self._images or len(self._images) + len(self._coming) >= _MOST:
                raise Malformed(f"a home has at most {_MOST} image files on a node, each once")
            # accessible to this user only
            self._folder = self._folder or Path(tempfile.mkdtemp(prefix="capsend-images-"))
            path = self._coming[digest] = self._folder / str(len(self._images) + len(self._coming))
            path.touch(0o600)
        if path.stat().st_size + len(item.body) > LARGEST_BODY:
            raise Malformed("an image file is larger than one can be")
        with path.open("ab") as file:
            file.write(item.body)
        if is_last:
            del self._coming[digest]
            self._images[digest] = _read(path, digest)

    def image(self, digest: str) -> Image:
        """Return the image of a file.

        Raises:
            ImageError: the file is not an image of this version, or does not have the digest.
            Malformed: home has not sent it.
        """
        found = self._images.get(digest)
        if found is None:
            raise Malformed("an image is used that was not sent")
        if isinstance(found, ImageError):
            raise found
        return found

    def close(self) -> None:
        """Remove the files."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _read(path: Path, digest: str) -> Image | ImageError:
    try:
        return Image.from_file(path, digest=digest)
    except ImageError as error:
        return error


def parts_of(path: Path, *, size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield the parts of a file, of *size* bytes each: (bytes, True for the last part)."""
    with path.open("rb") as file:
        part = file.read(size)
        while part:
            following = file.read(size)
            yield part, not following
            part = following


def check(image: Image, content: str, wanted: Sequence[str]) -> None:
    """Refuse an image of packages that differs from home's image of that name, with the command that helps.

    Args:
        image: the image on the node.
        content: the content key of home's image.
        wanted: the packages of home's image: `["name==version", ...]`.

    Raises:
        ImageError: the packages or the installations of capsend differ.
    """
    import importlib.metadata

    differing = []
    for package in wanted:
        name, _, version = package.partition("==")
        try:
            own = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            own = "missing"
        if own != version:
            differing.append((name, own, version))
    if differing:
        told = "; ".join(f"{name} is {own} on this node and {version} at home" for name, own, version in differing)
        command = " ".join(f"{name}=={version}" for name, _, version in differing)
        raise ImageError(
            f"the image of {', '.join(image.packages)} is not that of home: {told}. Run on the node's machine: pip install {command}. "
            "Or send the image: Environment(image=Image.from_file(...)) with a file of `capsend image build --output`"
        )
    if image.content_key != content:
        names = ", ".join(image.packages) or "the standard library"
        raise ImageError(
            f"the image of {names} has other content on this node than at home, though the versions are the same: one of the two "
            "installations was changed. Run on both machines: pip install --force-reinstall "
            f"{' '.join(('capsend', *wanted))}"
        )
