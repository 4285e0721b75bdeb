"""The state of an instance held by a package, as digests: host and guest each have their own instance.

Such an instance, for example a sentinel or a registry of a package in the image, is sent by name. The process has it as
the import of the package made it. So the host's instance must still be in that state, and the process must leave it in
that state: neither side would see the other's changes.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
import types
from typing import Any, Final

from capsend.codec.instances import is_a
from capsend.traits.fields import instance_state
from capsend.traits.parts import ATOMS

_MOST: Final = 20_000
_CODE: Final = (
    types.FunctionType
    | types.BuiltinFunctionType
    | types.MethodDescriptorType
    | types.WrapperDescriptorType
    | types.MethodWrapperType
    | types.ClassMethodDescriptorType
    | type
)
_DOC: Final = "__doc__"
"""Newer versions of Python remove the indentation from docstrings."""
_NOTHING: Final = "NoneType None"


class TooLarge(Exception):
    """A state has too many parts to compare."""


def state_of(value: object) -> dict[str, str]:
    """Return {field: digest of its content} of an instance.

    Raises:
        TooLarge: the instance has too many parts.
    """
    parts = [(name, part) for name, part in instance_state(value) if name != _DOC]
    # Each field separately: filling one later must not change the texts of the others.
    fields = {"": _Texts(value).items(value)} | {name: _Texts(value).text(part) for name, part in parts}
    return {name: text if len(text) < 64 else _digest(text) for name, text in fields.items()}


def changed_field(before: dict[str, str], after: dict[str, str]) -> str | None:
    """Return the first field that differs; None if the states agree.

    A private field that was None, or missing, and has a value now is a result that the instance keeps, not a change.
    """
    for name in dict.fromkeys([*before, *after]):
        then, now = before.get(name, _NOTHING), after.get(name, _NOTHING)
        if then != now and not (name.startswith("_") and then == _NOTHING):
            return name
    return None


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


class _Texts:
    """Writes values as texts, each object once.

    Args:
        root: the instance whose parts they are.
    """

    def __init__(self, root: object) -> None:
        self._seen: dict[int, int] = {id(root): 0}
        self._kept: list[object] = [root]

    def text(self, value: Any) -> str:
        """Return the text of a value; equal values have equal texts."""
        cls = type(value)
        if cls in ATOMS:
            return f"{cls.__name__} {value!r}"
        if id(value) in self._seen:
            return f"#{self._seen[id(value)]}"
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        if len(self._seen) > _MOST:
            raise TooLarge
        if is_a(value, _CODE):
            return f"code {_home(value)}{getattr(value, '__qualname__', '')}"
        if is_a(value, types.ModuleType):
            return f"module {value.__name__}"
        if cls is types.MethodType:
            return f"method {value.__func__.__qualname__} of {self.text(value.__self__)}"
        if cls is functools.partial:
            return f"partial {self.text((value.func, value.args, value.keywords))}"
        if cls is re.Pattern:
            return f"pattern {value.pattern!r} {value.flags}"
        fields = ",".join(f"{name}={self.text(part)}" for name, part in instance_state(value) if name != _DOC)
        return f"{cls.__qualname__}({self.items(value)}{fields})"

    def items(self, value: Any) -> str:
        """Return the text of a container's items."""
        if is_a(value, dict):
            return ",".join(f"{self.text(key)}:{self.text(item)}" for key, item in dict.items(value))
        if is_a(value, list | tuple):
            kind: Any = list if is_a(value, list) else tuple
            return ",".join(map(self.text, kind.__iter__(value)))
        if is_a(value, set | frozenset):
            kind = set if is_a(value, set) else frozenset
            return ",".join(sorted(_Texts(value).text(item) for item in kind.__iter__(value)))
        return ""


def _home(thing: Any) -> str:
    """Return the module of a function or class; it may differ between versions of the standard library."""
    module = str(getattr(thing, "__module__", None) or "")
    return "" if module.partition(".")[0] in sys.stdlib_module_names else f"{module}."
