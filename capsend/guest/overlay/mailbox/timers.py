"""The guest's messages that are sent later, under the host's name."""

from __future__ import annotations

from capsend_guest.address import Timer

__all__ = ["Timer"]
