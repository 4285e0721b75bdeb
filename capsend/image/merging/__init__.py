"""The core modules of an image, merged into one."""

from __future__ import annotations


class Unmergeable(Exception):
    """A component has a form that the merger does not support; it is used unmerged, which is only slower."""
