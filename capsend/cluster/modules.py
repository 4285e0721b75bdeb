"""WebAssembly modules on a node: home sends each once, by the digest of its bytes, and the node compiles it for its own machine."""

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
"""Modules that one home can have on a node."""


class Modules:
    """The modules that a node has of its home, and the calls that wait until theirs is compiled.

    A compiler that is given a hostile module may take long and much: it runs in an OS process of its own, with limits, as for
    `WasmModule.from_bytes(isolated=True)`, and on no thread of a connection. What is asked of a process meanwhile waits for it.

    Args:
        switch: the ports of the node.
        start: called with the item of a call and its shipment, to start the process.
        fail: called with the item of a call and the error, when the module is refused.
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
        """Keep a module that home sends.

        Raises:
            Malformed: it is not that of the digest, is too large, or there are too many.
        """
        (digest,) = item.fields
        if len(item.body) > LARGEST or hashlib.sha256(item.body).hexdigest() != digest:
            raise Malformed("a module is not that of its digest")
        if len(self._sources) >= _MOST:
            raise Malformed(f"a home has at most {_MOST} modules on a node")
        self._sources[digest] = item.body

    def call(self, item: Item) -> bool:
        """Start a process, now or when its module is compiled; return whether that was now.

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
                self._switch.expect(-number)
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
        except Exception as failure:  # noqa: BLE001 - each call that waits ends with it
            error = failure
        while True:
            with self._lock:
                items = self._waiting.pop(key)
                if not items:
                    if template is not None:
                        self._templates[key] = template
                    return
                self._waiting[key] = []  # those that come meanwhile start behind these
            for item in items:
                if error is None:
                    self._begin(item, template)
                else:
                    self._fail(item, error)
                self._switch.settle(-item.fields[0])

    def _begin(self, item: Item, template: Any) -> None:
        entry, label, references, sizes = item.fields[3], item.fields[4], item.fields[-2], item.fields[-1]
        try:
            _, segments = split(item.body, sizes, 0)
            if entry not in template.entries or len(segments) != 1:
                raise Malformed("a module is called that has no such function")  # noqa: TRY301 - as any other error
            shipment = WasmShipment(template, entry, segments[0], self._switch.grants(references), label)
        except Exception as error:  # noqa: BLE001 - home hears of it, as of any end
            self._fail(item, error)
            return
        self._start(item, shipment)
