"""The parts of the metadata that depend on where the repository is published, which the repository does not know.

`CAPSEND_ADDRESS` names its public address while a release is built (`.github/workflows/release.yml` sets it to that of the repository it
runs in). The description that PyPI shows then links to files of that address, at the tag of the version, and the project has URLs.
Without it there are no URLs, and links stay relative: no host is made up. A wheel that is built from the source distribution
has what was written into that.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE: Final = "CAPSEND_ADDRESS"
_LINK: Final = re.compile(r"\]\((?!\w+:|#)([^)\s]+)\)")


class Metadata(MetadataHookInterface):
    """The hook that hatchling calls."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme` and `urls`."""
        address = os.environ.get(VARIABLE, "").rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        if address:
            text = absolute(text, address, f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls(address) if address else {}


def absolute(text: str, address: str, tag: str) -> str:
    """Return a Markdown text whose links to files of the repository lead to its address, in the form of GitHub and of Forgejo."""

    def replaced(link: re.Match[str]) -> str:
        kind = "raw" if link[1].endswith(".svg") else "blob"
        return f"]({address}/{kind}/{tag}/{link[1]})"

    return _LINK.sub(replaced, text)


def urls(address: str) -> dict[str, str]:
    """Return the project's URLs, {label: address}, with labels that PyPI knows."""
    return {
        "Source": address,
        "Documentation": f"{address}/blob/main/docs/README.md",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
        "Security": f"{address}/security/advisories",
    }
