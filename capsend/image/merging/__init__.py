"""The core modules of an image merged into one."""

from __future__ import annotations


class Unmergeable(Exception):
    """A component holds a form that the merger does not know; it runs as well unmerged, only slower."""
