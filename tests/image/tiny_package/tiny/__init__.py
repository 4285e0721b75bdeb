"""An extension of the tests: what compiled code does in a process."""

from tiny._core import Point, add, layouts, missing_file, scribble, total

__all__ = ["Point", "add", "layouts", "missing_file", "scribble", "total"]
