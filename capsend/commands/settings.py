"""The settings of click that all commands share."""

from __future__ import annotations

from typing import Final

CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
