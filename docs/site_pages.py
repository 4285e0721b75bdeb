"""Brings the pages that stand outside this folder into the site, programs of `examples/` included, and lets links lead to them."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ".site/reference"
"""Where the sources of the reference are, as in `mkdocs.yml`."""
FOLDER: Final = "project"
LANGUAGES: Final = {".py": "python", ".c": "c"}
LINK: Final = re.compile(r"\]\((?!\w+:)([^)#\s]+)(#[^)]*)?\)")


def outside() -> dict[str, str]:
    """Return the pages of the repository that are not in this folder, {path in the repository: page of the site}."""
    pages = [*ROOT.glob("*.md"), ROOT / "examples" / "README.md"]
    programs = [path for path in sorted((ROOT / "examples").rglob("*")) if path.suffix in LANGUAGES]
    names = {path.relative_to(ROOT).as_posix(): f"{FOLDER}/{path.relative_to(ROOT).as_posix()}" for path in pages}
    return names | {
        path.relative_to(ROOT).as_posix(): f"{FOLDER}/{path.relative_to(ROOT).as_posix()}.md" for path in programs
    }


def on_startup(**_: Any) -> None:
    """Copy what the reference is made from, for a reader that stumbles over the guest's files and knows `Examples` by their plural only."""
    shutil.rmtree(ROOT / SOURCES, ignore_errors=True)
    for path in (ROOT / "capsend").rglob("*.py"):
        if "guest" not in path.relative_to(ROOT).parts:
            target = ROOT / SOURCES / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")
            target.write_text(re.sub(r"^( +)Example:$", r"\1Examples:", text, flags=re.MULTILINE), encoding="utf-8")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for name, page in outside().items():
        text = (ROOT / name).read_text(encoding="utf-8")
        language = LANGUAGES.get(Path(name).suffix)
        if language:
            text = f"---\nsearch:\n  exclude: true\n---\n# {name}\n\n```{language}\n{text}```\n"
        files.append(File.generated(config, page, content=text, inclusion=_inclusion(language)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links between files of the repository lead to pages of the site."""
    pages = outside()
    where = {page_of: name for name, page_of in pages.items()}
    here = where.get(page.file.src_uri, posixpath.join("docs", page.file.src_uri))

    def moved(match: re.Match[str]) -> str:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(here), match[1]))
        target = pages.get(name) or (name.removeprefix("docs/") if name.startswith("docs/") else None)
        if target is None and (ROOT / name).is_dir():
            target = next((page_of for each, page_of in pages.items() if each.startswith(f"{name}/")), None)
        if target is None:
            return match[0]
        return f"]({os.path.relpath(target, posixpath.dirname(page.file.src_uri) or '.')}{match[2] or ''})"

    return LINK.sub(moved, markdown)


def _inclusion(language: str | None) -> Any:
    from mkdocs.structure.files import InclusionLevel

    return InclusionLevel.NOT_IN_NAV if language else InclusionLevel.UNDEFINED
