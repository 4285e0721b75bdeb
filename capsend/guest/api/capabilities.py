"""Functions of the host as a process sees them, under the name that they have outside."""

from __future__ import annotations

from capsend_guest.host_functions import HostFunction  # type: ignore[import-not-found]  # the name that it has in the image

__all__ = ["HostFunction"]
