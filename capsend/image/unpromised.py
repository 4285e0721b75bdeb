"""The uses of componentize-py beyond its documented command line, and a check for changes in other versions.

==================================  =================================================================  ==========================
what is used                        for                                                                if it changes
==================================  =================================================================  ==========================
`componentize_py.script`            running the tool in the Python of capsend, found by import         no image is built
`VIRTUAL_ENV` is read               keeping the host's packages out of images                          images hold more
no copy of more than 128 MiB        the message about packages that do not fit                         the tool's own message
`componentize_py_runtime`           calls to the host from C code, in `guest/resting.py`               no image is built
one table `$imports` for imports    the gauge, which reports the size of the memory                    no image is built
a dozen modules that share memory   merging them, `capsend.image.merging`                              processes start slower
objects lie in data segments        immortal objects, `capsend.image.immortal`                         processes take more memory
the largest module has the memory   taking its content out, `capsend.image.detaching`                  no image is built
==================================  =================================================================  ==========================

`changes` checks the tool alone. `python -m capsend.image.unpromised` also makes a component, and checks every line of
the table.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

_OPTIONS: Final = {
    "": ("-d, --wit-path", "-w, --world"),
    "componentize": ("-p, --python-path", "-o, --output", "`VIRTUAL_ENV`"),
}
"""{command: parts of its help}."""

_FEWEST_OBJECTS: Final = 100_000


def changes() -> list[str]:
    """Return a sentence for each part that is different in the installed componentize-py, as far as the tool alone shows it."""
    found = []
    for command, parts in _OPTIONS.items():
        line = [sys.executable, "-c", "import componentize_py; componentize_py.script()", *command.split(), "--help"]
        done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603 - our interpreter
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            return [f"componentize-py is not run by componentize_py.script() any more: {last}."]
        found += [f"componentize-py {command} has no {part} any more." for part in parts if part not in done.stdout]
    return found


def changes_of_components() -> list[str]:
    """Return the same for the components that it makes; makes one, which takes 15 seconds."""
    from capsend import engine
    from capsend.engine.gauge import gauge
    from capsend.image import image, rehearsal
    from capsend.image.bake import assemble_component
    from capsend.image.detaching import detach
    from capsend.image.immortal import immortalize
    from capsend.image.merging import Unmergeable
    from capsend.image.merging.merge import merge

    found = []
    with tempfile.TemporaryDirectory(prefix="capsend-") as folder:
        path = assemble_component(Path(folder), image.always(), rehearsal.texts(knows=image.Image().knows))
        component, objects = path.read_bytes(), immortalize(path)
    if objects < _FEWEST_OBJECTS:
        found.append(
            f"the objects of a component of componentize-py are laid out in another way: only {objects} are found."
        )
    try:
        component = merge(component)
    except Unmergeable as error:
        found.append(f"the components of componentize-py are linked in another way, and are not merged: {error}.")
    for act in (detach, lambda each: gauge(each, assemble=engine.assemble)):
        try:
            act(component)
        except LookupError as error:
            found.append(f"the components of componentize-py are laid out in another way: {error}.")
    return found


def main() -> int:
    """Print the changes; return 1 if the list is not empty, else 0."""
    found = changes()
    found = found or changes_of_components()
    print("\n".join(found) or "componentize-py has all parts as they were.")  # noqa: T201 - run as a program
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
