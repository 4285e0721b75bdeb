"""Summaries of modules whose bodies mypy does not have, made by another mypy.

* Modules that were cached when nothing imported capsend: mypy cannot check a module again that it took from its cache. So
  the first run with a spawn has such modules checked by another mypy, without a cache. In the next run mypy notices that
  the plugin's answer about these modules has changed, and checks them itself.
* Modules with a stub next to the source: mypy reads only the stub. Another mypy is given the source.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

from capsend_mypy import names, summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy.nodes import MypyFile
    from mypy.options import Options

IMPLICIT = frozenset({"__name__", "__doc__", "__file__", "__package__", "__path__", "__annotations__", "__spec__"})


class Bare:
    """Makes the summaries of modules that were cached without one."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._texts: dict[str, str] | None = None

    def text(self, module: str, files: Mapping[str, MypyFile]) -> str | None:
        """Return a module's summary as text; None if it needs none, or cannot be checked."""
        if not _path(files[module]):
            return None
        if self._texts is None:
            self._texts = self._made({name: path for name, file in files.items() if (path := _path(file))})
        return self._texts.get(module)

    def _made(self, paths: dict[str, str]) -> dict[str, str]:
        # These two hold objects; mypy makes them again from other options.
        objects = {"disabled_error_codes", "enabled_error_codes"}
        # `snapshot` is what mypy compares in its daemon: all options as plain values.
        options = {name: value for name, value in self.options.snapshot().items() if name not in objects}
        command = [sys.executable, "-m", "capsend_mypy.summarise"]
        given = pickle.dumps((options, paths))
        done = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=False)  # noqa: S603 - this plugin
        if done.returncode != 0:
            return {}
        found: dict[str, str] = json.loads(done.stdout)
        return found


def _path(file: MypyFile) -> str:
    """Return the path of the source from which a module's summary must be made; empty if the module needs none."""
    return file.path if is_bare(file) else names.source_beside(file.path, file.fullname) if file.is_stub else ""


def is_bare(file: MypyFile) -> bool:
    """Return whether a module came from the cache, defines something, and has no summary."""
    return (
        file.is_cache_skeleton
        and not file.is_stub
        and not names.is_known(file.fullname)
        and summary.SYMBOL not in file.names
        # An empty module has only the names that mypy gives every module.
        and not file.names.keys() <= IMPLICIT
    )
