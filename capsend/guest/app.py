"""The entry of the guest: what is imported here is in the snapshot from which every process starts."""

from __future__ import annotations

import atexit
import importlib
import json
import linecache
import sys

import wit_world  # type: ignore[import-not-found] # made while the image is built

from . import clock, fresh, host, manifest, network, stdlib, streams

# Before the standard library, so that what it and packages import from there is what replaces it: a sleep that can be interrupted.
clock.install()
streams.guard()
network.install()
_AGAIN = "again "
_FAILURES = stdlib.import_all(manifest.PACKAGES)

from . import shared  # noqa: E402 - what builds on the standard library comes after it

shared.install()

from . import cells, databases, mail, package_files, resting, runtime, settle, warned, zones  # noqa: E402 - what builds on the host's modules comes after those

# Imported when they are needed, which nothing here does.
for _name in (
    "capsend.capabilities",
    "capsend.records",
    "capsend.source_text",
    "capsend.syntax",
    "capsend.text_shipment",
    "capsend.mailbox",
    "capsend.shipping",
    "capsend.held",
    "capsend.registry",
):
    importlib.import_module(_name)
shared.read_declarations()
image = importlib.import_module("capsend.image")


image.freeze()


def _inventory() -> str:
    """The names a program may import, and why others are missing."""
    return json.dumps(
        {"modules": sorted(image.modules_inside()), "missing": _FAILURES, "python": sys.version.split()[0]}
    )


_ACTS = {
    "syntax": lambda text: json.dumps(cells.syntax_error(*json.loads(text))),
    "place": resting.place_of,
    "room": resting.make_room,
    "signals": resting.show_signals,
}
"""What the host asks beside programs: of instances that have run none, or wait for the next call."""


class WitWorld(wit_world.WitWorld):  # type: ignore[misc] # its base is made while the image is built
    """What the image exports."""

    def run(self, program: str, call: str) -> str:
        """Run one program, once; the answer says how it went."""
        if call == "inventory":
            return _inventory()
        if call == "ready":
            fresh.renew()
            settle.rehearse_again(_run)
            return ""
        if call.startswith(_AGAIN):
            answer = host.deliver(_run_again(program, call.removeprefix(_AGAIN)))
            host.request(host.END, "")
            return answer
        if call in _ACTS:
            return _ACTS[call](program)
        fresh.restart()
        answer = host.deliver(_run(program, call))
        host.request(host.END, "")  # the host learns with every request how much memory there is
        return answer


def _run(program: str, call: str) -> str:
    try:
        return runtime.run(program, call)
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001 - the interpreter that would do it never ends
        streams.flush()


def _run_again(program: str, call: str) -> str:
    try:
        return runtime.run_again(program, call)
    finally:
        streams.flush()


shared.check()
databases.install()
zones.install()
network.install_loops()
package_files.keep(manifest.FILES)
package_files.install()
mail.install()
streams.install()
warned.install()
fresh.forget_exits()
# These folders are gone when the snapshot runs; finders that remember them would claim modules they cannot load.
sys.path.clear()
sys.path_importer_cache.clear()
linecache.clearcache()
settle.rehearse(_run)
settle.list_objects()
settle.plug_holes()
