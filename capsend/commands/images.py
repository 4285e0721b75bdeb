"""The commands `capsend image build`, `add`, `packages`, `list` and `clear`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capsend.commands.exits import FAILED, INTERRUPTED, stop
from capsend.commands.settings import CONTEXT
from capsend.exceptions import CapsendError, ImageError

if TYPE_CHECKING:
    from capsend.image.image import StoredImage


@click.group(context_settings=CONTEXT, short_help="Build, list or remove images.")
def image() -> None:
    """Build, list or remove the images from which processes start.

    An image holds a CPython with its whole standard library, and added packages. It is built at the first spawn, once
    per machine, and kept in the user's cache folder, or in the folder that CAPSEND_CACHE_DIR names.

    \b
    Example:
      capsend image build --package rich
    """


@image.command("build", context_settings=CONTEXT)
@click.option(
    "--package", "packages", multiple=True, metavar="NAME", help="A pure-Python package to add; can be repeated."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the image to a file for other machines: Image.from_file(FILE) uses it.",
)
def build(packages: tuple[str, ...], output: Path | None) -> None:
    """Build an image, unless the cache has it already.

    The file of --output holds portable WebAssembly, which other machines compile for their CPU in about 5 seconds. They
    need the same version of capsend. The printed digest identifies the whole content: Image.from_file(FILE,
    digest="...") accepts no other content.

    \b
    Examples:
      capsend image build
      capsend image build --package rich --package pygments
      capsend image build --output capsend.image
    """
    from capsend.commands.display import megabytes
    from capsend.image.image import Image

    try:
        wanted = Image(packages=packages)
        path, digest = wanted.ensure(), ""
        size = wanted.record.size
        if output is not None:
            digest = wanted.to_file(output)
            path, size = output, output.stat().st_size
    except (ImageError, TypeError) as error:
        stop(str(error), FAILED)
    except KeyboardInterrupt:
        stop("interrupted; nothing half-built is kept", INTERRUPTED)
    click.echo(f"{path} ({megabytes(size)})")
    if digest:
        click.echo(f"digest {digest}")


@image.command("add", context_settings=CONTEXT)
@click.option(
    "--sha256",
    default="",
    metavar="DIGEST",
    help="The digest of the sdist, for a package or version that no recipe knows.",
)
@click.option(
    "--sdist",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The sdist itself, instead of a download.",
)
@click.argument("package", metavar="NAME[==VERSION]")
def add(package: str, sha256: str, sdist: Path | None) -> None:
    """Build a package with native code for processes, and try it in a process.

    The package is compiled from its sdist, whose digest is in the recipe, and kept in a separate store, where the host
    cannot import it. From then on, images that name the package contain it. Needs the extra `native`: pip install
    'capsend[native]'. Ready-made packages need neither this command nor a compiler: pip install capsend-NAME.

    SECURITY: a build runs the build script of the sdist on this machine, with your rights, as `pip install` of an sdist
    does. Without a recipe, the package is whatever the package index now has under the name, unless you give a digest.

    \b
    Examples:
      capsend image add markupsafe
      capsend image add numpy
    """
    from capsend.commands.display import megabytes
    from capsend.commands.native import add as build_and_try

    name, _, version = package.partition("==")
    try:
        wheel = build_and_try(name.strip(), version.strip(), sha256=sha256, sdist=sdist)
    except CapsendError as error:
        stop(str(error), FAILED)
    except KeyboardInterrupt:
        stop("interrupted; nothing half-built is kept", INTERRUPTED)
    click.echo(
        f"{wheel.name} {wheel.version} is built: {megabytes(wheel.native_bytes)} of native code, {wheel.cpu:.0f} s of processor time"
    )
    click.echo(f"from {wheel.origin}")


@image.command("packages", context_settings=CONTEXT)
def packages_() -> None:
    """List the packages with native code that processes can have: built, to build, or not possible, and why.

    \b
    Example:
      capsend image packages
    """
    from capsend.commands import display
    from capsend.commands.native import rows

    to = display.console()
    table = display.table("package", "version", "state", "native code", "what differs", to=to, wrapped="what differs")
    for row in rows():
        table.add_row(*row)
    to.print(table)


@image.command("list", context_settings=CONTEXT)
def list_() -> None:
    """List the images in the cache, the newest first.

    An image is shown as outdated if no process of this installation would start from it, because one of its sources has
    changed.

    \b
    Example:
      capsend image list
    """
    from capsend.cache_place import cache_folder
    from capsend.commands import display
    from capsend.image.image import list_images

    images = list_images()
    if not images:
        click.echo(f"no images in {cache_folder()}")
        return
    to = display.console()
    table = display.table(
        "image", "built", "size", "python", "state", "packages", to=to, right=("size",), wrapped="packages"
    )
    for stored in images:
        table.add_row(stored.path.name[:8], *_describe(stored))
    to.print(table)


def _describe(stored: StoredImage) -> tuple[str, ...]:
    from capsend.commands.display import megabytes
    from capsend.image.image import Image
    from capsend.image.packages import ALWAYS

    record, size = stored.record, megabytes(stored.size)
    if record is None:
        return "", size, "", "damaged", ""
    built = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.built))
    added = [package for package in record.packages if package.partition(" ")[0] not in ALWAYS]
    try:
        # The requirements of an added package were added too; naming them again changes only the order of the names.
        is_current = Image(packages=[package.partition(" ")[0] for package in added]).key == record.key
    except ImageError:
        is_current = False
    state = "of a file" if record.file else "current" if is_current else "outdated"
    return built, size, record.python, state, ", ".join(added)


@image.command("clear", context_settings=CONTEXT)
@click.option(
    "--native", is_flag=True, help="Remove the packages that were built for processes, and the compiler, too."
)
def clear(native: bool) -> None:
    """Remove all images and compiled modules; later spawns build them again.

    \b
    Examples:
      capsend image clear
      capsend image clear --native
    """
    from capsend.commands.display import megabytes
    from capsend.image.image import clear_images, forget, list_images
    from capsend.image.native import store
    from capsend.wasm import compiled as modules

    count, packages = len(list_images()), len(store.wheels())
    removed = f"{count} image{'' if count == 1 else 's'}"
    built = f"{packages} package{'' if packages == 1 else 's'} built for processes"
    try:
        freed = clear_images() + modules.clear()
        if native:
            freed += store.clear()
            forget()
    except (ImageError, OSError) as error:
        stop(str(error), FAILED)
    click.echo(f"removed {removed}{f' and {built}' if native else ''}, {megabytes(freed)}")
    if packages and not native:
        click.echo(f"kept {built}: capsend image clear --native removes {'it' if packages == 1 else 'them'}")
