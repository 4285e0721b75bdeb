"""Pack a package that was built for processes as a pure wheel: `python packaging/native/pack.py numpy --out dist`.

The wheel, `capsend_numpy-2.4.6-py3-none-any.whl`, carries the guest wheel as data, with its licences, and nothing that the host could import
by the package's own name. Installed, it is what `Image(packages=["numpy"])` takes first. Build the package before: `capsend image add numpy`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import sys
import zipfile
from pathlib import Path

from capsend.exceptions import ImageError
from capsend.image.native import store
from capsend.image.native.recipes import normal, recipe_of

_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(name: str, out: Path) -> Path:
    """Write the pure wheel of a package of the store into a folder.

    Raises:
        ImageError: the package is not built.
    """
    wheel = store.find(name)
    if wheel is None:
        raise ImageError(f"the package {name!r} is not built. Build it: capsend image add {name}")
    stem = f"capsend_{normal(wheel.name).replace('-', '_')}"
    info = f"{stem}-{wheel.version}.dist-info"
    recipe = recipe_of(wheel.name)
    summary = f"{wheel.name} {wheel.version}, built for processes of capsend"
    metadata = (
        f"Metadata-Version: 2.4\nName: {stem.replace('_', '-')}\nVersion: {wheel.version}\nSummary: {summary}\n"
        f"Requires-Dist: capsend\nDescription-Content-Type: text/plain\n\n{summary}.\nBuilt from {wheel.origin}.\n"
        + (f"What differs: {recipe.differs}.\n" if recipe and recipe.differs else "")
    )
    files = {
        f"{stem}/__init__.py": f'"""{summary}: data that capsend reads."""\n'.encode(),
        f"{stem}/{wheel.path.name}": wheel.path.read_bytes(),
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: capsend\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    for relative, path in wheel.files():
        if ".dist-info/licenses/" in relative:
            files[f"{info}/licenses/{relative.partition('/licenses/')[2]}"] = path.read_bytes()
    files[f"{info}/RECORD"] = "".join([*(_recorded(*item) for item in files.items()), f"{info}/RECORD,,\n"]).encode()
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{stem}-{wheel.version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path_inside, content in files.items():
            archive.writestr(zipfile.ZipInfo(path_inside, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return target


def _recorded(path: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


def main() -> None:
    """Pack what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", help="packages that were built")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="the folder of the wheels (default: dist)")
    chosen = parser.parse_args()
    try:
        for name in chosen.names:
            print(pack(name, chosen.out))
    except ImageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
