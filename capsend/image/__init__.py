"""The snapshot that processes start from: built, cached, trusted."""

from __future__ import annotations

from capsend.image.image import Image

__all__ = ["Image"]
