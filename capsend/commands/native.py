"""`capsend image add` and `capsend image packages`: packages with native code, built for processes and tried in one."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from capsend.exceptions import CapsendError, ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from capsend.image.native.recipes import Recipe
    from capsend.image.native.store import Wheel


def add(name: str, version: str, *, sha256: str, sdist: Path | None) -> Wheel:
    """Build a package for processes, make an image with it, and try the package in a process.

    Returns:
        The wheel in the store.

    Raises:
        ImageError: the build failed; or the package does not work in a process and was removed again.
    """
    from capsend.image.native import store
    from capsend.image.native.build import build

    with _progress(name) as say:
        wheel = build(name, version, sha256=sha256, sdist=sdist, say=say)
    try:
        _try_inside(wheel)
    except BaseException:
        store.discard(wheel)
        raise
    return wheel


def _try_inside(wheel: Wheel) -> None:
    from capsend.environment import Environment
    from capsend.image.image import Image, forget
    from capsend.image.native.recipes import recipe_of
    from capsend.source_text.source import Source

    forget()
    recipe = recipe_of(wheel.name)
    environment = Environment(image=Image(packages=[wheel.name]))
    environment.image.ensure()
    if recipe is None:
        return
    text = (
        "import importlib\n"
        + "".join(f"importlib.import_module({name!r})\n" for name in recipe.imports)
        + (recipe.expression or "True")
    )
    try:
        good = environment.execute(Source(text)).value
    except CapsendError as error:
        raise ImageError(
            f"the package {wheel.name!r} was built, but fails in a process: {error}. It is not kept"
        ) from error
    if good is not True:
        raise ImageError(
            f"the package {wheel.name!r} was built, but gives wrong answers in a process: {recipe.expression}. It is not kept"
        )


def rows() -> list[tuple[str, str, str, str, str]]:
    """Return (name, version, state, megabytes of native code as text, differences or reason) of each recipe and each wheel, by name."""
    from capsend.commands.display import megabytes
    from capsend.image.native import store
    from capsend.image.native.recipes import normal, recipes

    known = recipes()
    found = []
    for name in sorted({*known, *(normal(wheel.name) for wheel in store.wheels())}):
        recipe, wheel = known.get(name), store.find(name)
        if wheel is not None:
            found.append(
                (wheel.name, wheel.version, "built", megabytes(wheel.native_bytes), recipe.differs if recipe else "")
            )
        elif recipe is not None:
            state = "not possible" if recipe.refused else f"to build, {recipe.minutes} min"
            found.append((recipe.name, recipe.newest, state, "", recipe.refused or recipe.differs))
    return found


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Callable[[str], None]]:
    """Yield a function to call with each line of a build: a terminal shows the last line, any other stream only the beginning."""
    from capsend.image.native.recipes import Recipe, recipe_of

    recipe: Recipe = recipe_of(name) or Recipe(name)
    title = f"building {recipe.name} (once, about {recipe.minutes} min of processor time)"
    if not sys.stderr.isatty():
        print(f"capsend: {title}...", file=sys.stderr, flush=True)  # noqa: T201 - explains the wait
        yield lambda _line: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("capsend: {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda line: progress.update(task, description=f"{title}: {escape(line[:60])}")
