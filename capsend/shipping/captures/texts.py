"""The source texts of modules, sent only if code asks for them."""

from __future__ import annotations

import inspect
import linecache
from typing import TYPE_CHECKING, Any, Final

from capsend.source.locate import SourceError, locate_class

if TYPE_CHECKING:
    from capsend.shipping.captures.protocols import Walk

ASKING: Final = frozenset({"findsource", "getblock", "getcomments", "getsource", "getsourcelines"})
"""The functions of `inspect` that show source text."""


class Texts:
    """Sends the texts of all modules of a program."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._sent: set[str] = set()

    def send(self) -> None:
        """Send the texts if the program names a function of `inspect` that shows source text."""
        program = self._context.program
        asked = self._walk.classes.mentions(ASKING) or any(program.entity(getattr(inspect, name)) for name in ASKING)
        if not asked:
            return
        for module in list(program.modules()):
            namespace = module.thing if isinstance(module.thing, dict) else vars(module.thing)
            self._send_text(namespace.get("__file__"), namespace)
        for cls, entity in program.classes().items():
            if "__firstlineno__" not in vars(cls) and (line := _line_of(cls)):
                program.bind(
                    entity, "__firstlineno__", program.value(line)
                )  # newer versions of Python find the text by these

    def _send_text(self, file: object, namespace: dict[str, Any]) -> None:
        if not isinstance(file, str) or file in self._sent:
            return
        self._sent.add(file)
        self._context.observed.answer(lambda: linecache.getlines(file, namespace))
        lines = linecache.getlines(file, namespace)
        if lines:
            self._context.program.act(None, "L", file, "".join(lines))


def _line_of(cls: type) -> int:
    try:
        return locate_class(cls).line
    except SourceError:
        return 0
