"""Summaries in mypy's cache, one per module: later runs, which load a module from the cache, read the summary instead of function bodies.

A build without an import of capsend makes none: a file in the cache's folder records whether any module ever imported
it. mypy compares the plugin's answer about a module with the answer when the module was cached, so the first run with
capsend checks all modules again.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
from typing import TYPE_CHECKING, Final

from mypy import nodes as n

from capsend_mypy import names
from capsend_mypy.asked import is_kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy.options import Options

    from capsend_mypy.checks import Checks
    from capsend_mypy.summary import Failure

MARK: Final = "capsend.used"
TEXT: Final = (
    "A module in this cache imports capsend, so the modules in it have summaries of the captures of their functions.\n"
)
UNSEEN: Final = '{"unseen":true,"version":1}'

Modules = dict[str, n.MypyFile]


class Summaries:
    """Decides whether a build makes summaries, and attaches them to modules.

    Args:
        options: mypy's.
        tops: the packages whose import requires checks: capsend, and the tools of the configured boundaries.
        checks: returns the checks of the build, which find the references of functions.
    """

    forced = False
    """True if every build of this interpreter makes summaries."""

    def __init__(self, options: Options, tops: frozenset[str], checks: Callable[[], Checks]) -> None:
        self.checks = checks
        self.tops = tops
        # mypy shows a plugin no imports of modules from an earlier run: the file records that one imported capsend.
        self.mark = os.path.join(options.cache_dir, MARK) if is_kept(options) else ""
        # A worker has the options of its coordinator, and is not shown the imports of the modules that the coordinator parsed.
        self.has_workers = options.num_workers > 0
        self.daemon = bool(options.fine_grained_incremental or options.cache_fine_grained)
        self.used = self.forced or self.daemon or bool(self.mark and os.path.exists(self.mark))

    def note(self, file: n.MypyFile) -> None:
        """Note the imports of a parsed module; mypy parses all changed modules before it checks any."""
        if not self.used and any(names.top(module) in self.tops for module in _imported(file)):
            self.used = True
            if self.mark:
                with contextlib.suppress(OSError):  # if this fails, mypy cannot write its cache either
                    os.makedirs(os.path.dirname(self.mark), exist_ok=True)
                    with open(self.mark, "w", encoding="utf-8") as mark:
                        mark.write(TEXT)

    def are_made(self, modules: Modules) -> bool:
        """Return whether this build makes summaries; workers read the coordinator's answer from the file."""
        if not self.used and not self.mark:
            self.used = not self.tops.isdisjoint(modules)
        elif not self.used and self.has_workers:
            self.used = os.path.exists(self.mark)
        return self.used

    def attach(self, file: n.MypyFile, modules: Modules) -> None:
        """Make the summary of a module and put it into the module's symbol table, if the table has none."""
        # A skeleton is a module that mypy read from its cache: it has a table of names and no tree.
        if file.is_cache_skeleton or not file.defs or names.is_known(file.fullname):
            return
        if file.is_stub:
            self._attach_digest(file, modules)
            return
        if not self.are_made(modules):
            return
        from capsend_mypy import summary

        # In the daemon a module keeps its table when its bodies are checked again: the table's summary may be old.
        # Both hooks attach: one before the cache is written, one for a run without a cache.
        if summary.SYMBOL in file.names and not self.daemon:
            return
        # mypy switches collections off at times itself: the state is put back as it was.
        collects = gc.isenabled()
        gc.disable()  # the objects of a summary are short-lived, and would cause collections of mypy's whole heap
        try:
            self._attach(file, modules)
        except Exception:  # noqa: BLE001 - a crash would end mypy; without a summary, the module's functions count as unseen
            summary.attach(file, modules, UNSEEN)
        finally:
            if collects:
                gc.enable()

    def _attach_digest(self, file: n.MypyFile, modules: Modules) -> None:
        """Give a stub a symbol that changes with the source next to it: code that depends on the stub depends on the source too."""
        path = names.source_beside(file.path, file.fullname)
        if path and self.are_made(modules):
            from capsend_mypy import summary

            with contextlib.suppress(OSError), open(path, "rb") as source:
                summary.attach(file, modules, hashlib.sha256(source.read()).hexdigest()[:16])

    def _attach(self, file: n.MypyFile, modules: Modules) -> None:
        from capsend_mypy import constants, summary
        from capsend_mypy.program import Program

        checks = self.checks()
        program = Program(checks.state, modules)
        own = program.summary(file.fullname)
        if own is None:
            return
        own.tables, own.reads = constants.digest(file, own), checks.state.asked.answers(own.text)
        own.text = b""
        if self.daemon:
            text = summary.encode_refs(file, own)
        else:
            verdicts: dict[str, tuple[Failure, ...]] = {}
            if not own.unseen:
                for local, refs in own.refs.items():
                    if refs:
                        verdicts[local] = program.open_failures(f"{file.fullname}.{local}")
            text = summary.encode_verdicts(own, verdicts)
            if not program.provisional:
                # The verdicts are kept; their many small objects would cause a collection of mypy's whole heap.
                own.refs, own.verdicts = {}, verdicts
        summary.attach(file, modules, text)
        checks.rested_on.setdefault(file.fullname, set()).update(program.consulted & modules.keys())


def _imported(file: n.MypyFile) -> list[str]:
    found = []
    for statement in file.imports:
        if isinstance(statement, n.Import):
            found += [module for module, _ in statement.ids]
        elif isinstance(statement, n.ImportFrom | n.ImportAll):
            found.append(statement.id)
    return found
