"""The entry of the guest: the modules that it imports are in the snapshot from which every process starts."""

from __future__ import annotations

import atexit
import importlib
import json
import linecache
import pkgutil
import sys

import wit_world

from capsend.codec.operations import Operation

from . import clock, host_operations, manifest, network, renewal, stdlib, streams

# Before the standard library, so that the library and packages import the replacement: an interruptible sleep.
clock.install()
streams.guard()
network.install()
_AGAIN = "again "
_FAILURES = stdlib.import_all(manifest.PACKAGES)

# Before the guest's other modules: they use the rooms shared by host and guest, which this package's `__init__` imports
# in turn.
import capsend_traits  # noqa: E402 - as above

import capsend  # noqa: E402 - it builds on the standard library

from . import (  # noqa: E402 - they build on `capsend`
    cells,
    imports,
    inbox,
    log_records,
    mailbox,
    package_files,
    process_warnings,
    resting,
    runtime,
    snapshot,
    sqlite,
    time_zones,
    transit,
)

# A process has no files from which to import these modules.
for _module in pkgutil.walk_packages(capsend.__path__, "capsend."):
    importlib.import_module(_module.name)
for _name in capsend_traits.table().modules():
    capsend_traits.table().declarations(_name)
image = importlib.import_module("capsend.image.image")
image.freeze()
imports.install(inbox.program)


def _inventory() -> str:
    """Return the names that a program may import, and the reasons why others are missing."""
    return json.dumps(
        {"modules": sorted(image.modules_inside()), "missing": _FAILURES, "python": sys.version.split()[0]}
    )


_ACTS = {
    "syntax": lambda text: json.dumps(cells.syntax_error(*json.loads(text))),
    "place": resting.place_of,
    "room": resting.make_room,
    "signals": resting.show_signals,
}
"""The host's requests other than programs, made to an instance that has run none, or that waits for the next call."""


class WitWorld(wit_world.WitWorld):  # type: ignore[misc] # its base is made when the image is built
    """The exports of the image."""

    def run(self, program: str, call: str) -> str:
        """Run one program, once, and return its answer."""
        if call == "inventory":
            return _inventory()
        if call == "ready":
            renewal.renew()
            snapshot.rehearse_again(_run)
            return ""
        if call.startswith(_AGAIN):
            return _measured(host_operations.deliver(_run_again(program, call.removeprefix(_AGAIN))))
        if call in _ACTS:
            answer = _ACTS[call](program)
            host_operations.request(Operation.END, "")
            return answer
        renewal.restart()
        return _measured(host_operations.deliver(_run(program, call)))


def _measured(answer: str) -> str:
    """Let a host that cannot see the memory in place measure it, as it does at every request."""
    if transit.is_by_text():
        host_operations.request(Operation.END, "")
    return answer


def _run(program: str, call: str) -> str:
    try:
        return runtime.run(program, call)
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001 - the interpreter that would call it never ends
        streams.flush()


def _run_again(program: str, call: str) -> str:
    try:
        return runtime.run_again(program, call)
    finally:
        streams.flush()


def _rehearsed(program: str, call: str) -> str:
    renewal.forget_start()
    return WitWorld().run(program, call)


sqlite.install()
time_zones.install()
network.install_loops()
package_files.keep(manifest.FILES)
package_files.install()
mailbox.install()
log_records.install()
streams.install()
process_warnings.install()
renewal.forget_exits()
# These folders do not exist when the snapshot runs; finders that keep them would claim modules that they cannot load.
sys.path.clear()
sys.path_importer_cache.clear()
linecache.clearcache()
# All code of a call is rehearsed: code that runs for the first time writes to its pages.
snapshot.rehearse(_rehearsed)
snapshot.gather_code(_rehearsed)
snapshot.rehearse(_rehearsed)
renewal.forget_start()
snapshot.list_objects()
snapshot.finish()
