"""The folders of compiled code: images, and modules in other languages."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of images: `images` in the folder that CAPSEND_CACHE_DIR names, or else in the user's cache."""
    chosen = os.environ.get("CAPSEND_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute() / "images"
    import platformdirs

    return platformdirs.user_cache_path("capsend") / "images"


def module_folder() -> Path:
    """Return the folder of compiled modules: the sibling of the folder of images."""
    return cache_folder().with_name("modules")
