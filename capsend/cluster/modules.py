"""WebAssembly modules on a node: home sends each module once, by its digest, and the node compiles it for its own machine."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any, Final

from capsend.cluster.items import Malformed, split
from capsend.engine import THREAD_STACK
from capsend.runtime import workers
from capsend.wasm.compiled import LARGEST, obtain
from capsend.wasm.module import WasmShipment

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.cluster.items import Item
    from capsend.cluster.peers import Switch

_MOST: Final = 1_000
"""The most modules of one home on a node."""


class Modules:
    """The modules that a node has got from its home, and the calls that wait for a module to be compiled.

    A hostile module may make a compiler take long and use much memory. So the compiler runs in a separate OS process
    with limits, as for `WasmModule.from_bytes(isolated=True)`, and not on the thread of a connection. Requests
    concerning the process wait meanwhile.

    Args:
        switch: the ports of the node.
        start: called with the item of a call and its shipment, to start the process.
        fail: called with the item of a call and the error, if the module is refused.
    """

    def __init__(
        self,
        switch: Switch,
        *,
        start: Callable[[Item, WasmShipment], object],
        fail: Callable[[Item, Exception], object],
    ) -> None:
        self._switch = switch
        self._start = start
        self._fail = fail
        self._lock = threading.Lock()
        self._sources: dict[str, bytes] = {}
        self._templates: dict[tuple[str, str], Any] = {}
        self._waiting: dict[tuple[str, str], list[Item]] = {}

    def take(self, item: Item) -> None:
        """Keep a module sent by home.

        Raises:
            Malformed: the module does not have the digest, is too large, or is one too many.
        """
        (digest,) = item.fields
        if len(item.body) > LARGEST or hashlib.sha256(item.body).hexdigest() != digest:
            raise Malformed("a module is not that of its digest")
        if len(self._sources) >= _MOST:
            raise Malformed(f"a home has at most {_MOST} modules on a node")
        self._sources[digest] = item.body

    def call(self, item: Item) -> bool:
        """Start a process, now or once its module is compiled.

        Returns:
            True if it was started now.

        Raises:
            Malformed: home has not sent the module.
        """
        number, digest, name = item.fields[:3]
        if digest not in self._sources:
            raise Malformed("a module is called that was not sent")
        key = digest, name
        with self._lock:
            template = self._templates.get(key)
            if template is None:
                self._switch.early.expect(-number)
                waiting = self._waiting.get(key)
                if waiting is not None:
                    waiting.append(item)
                    return False
                self._waiting[key] = [item]
        if template is None:
            workers.run(lambda: self._compile(key), stack=THREAD_STACK)
            return False
        self._begin(item, template)
        return True

    def _compile(self, key: tuple[str, str]) -> None:
        digest, name = key
        template: Any = None
        error: Exception | None = None
        try:
            template = obtain(self._sources[digest], name=name, isolated=True)
        except Exception as failure:  # noqa: BLE001 - each waiting call ends with the error
            error = failure
        while True:
            with self._lock:
                items = self._waiting.pop(key)
                if not items:
                    if template is not None:
                        self._templates[key] = template
                    return
                self._waiting[key] = []  # calls that arrive meanwhile start after these
            for item in items:
                if error is None:
                    self._begin(item, template)
                else:
                    self._fail(item, error)
                self._switch.early.settle(-item.fields[0])

    def _begin(self, item: Item, template: Any) -> None:
        entry, label, references, sizes = item.fields[3], item.fields[4], item.fields[-2], item.fields[-1]
        try:
            _, segments = split(item.body, sizes, 0)
            if entry not in template.entries or len(segments) != 1:
                raise Malformed("a module is called that has no such function")  # noqa: TRY301 - as any other error
            shipment = WasmShipment(template, entry, segments[0], self._switch.grants(references), label)
        except Exception as error:  # noqa: BLE001 - reported to home, as any end
            self._fail(item, error)
            return
        self._start(item, shipment)
