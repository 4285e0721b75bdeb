"""The snapshot from which processes start: how it is built, cached and trusted."""

from __future__ import annotations

from capsend.image.image import Image

__all__ = ["Image"]
