"""The guest's addresses, under the host's name."""

from __future__ import annotations

from capsend_guest.address import Address

__all__ = ["Address"]
