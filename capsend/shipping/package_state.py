"""The state of an instance held by a package, as digests: host and guest each have their own instance.

Such an instance, for example a sentinel or a table of settings of a package in the image, is sent by name. The process has its
own instance, made by the import of the package, and sets the fields of it to the plain data that they hold on the host: numbers,
texts, and lists, dicts and sets of these. All other state must be that after the import on the host, and the process must not
change the instance: neither side would see the other's changes.

An instance that is declared `PerProcess[...]` is each process's own, with that plain data. The entries of its dicts, and
private fields that hold more, such as results that it keeps, are neither sent nor compared.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import re
import sys
import types
from typing import Any, Final

from capsend import codec
from capsend.codec.instances import is_a, mro_of, slots_of
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
_LONGEST: Final = 10_000
"""The most items of a list, dict or set that is sent as plain data."""


class TooLarge(Exception):
    """A state has too many parts to compare."""


def state_of(value: object, *, is_own: bool = False) -> dict[str, str]:
    """Return {field: digest of its content} of an instance.

    Args:
        value: the instance.
        is_own: leave out the entries of dicts and private fields without plain data, as for an instance that is each process's own.

    Raises:
        TooLarge: the instance has too many parts.
    """
    parts = [(name, part) for name, part in instance_state(value) if name != _DOC]
    # Each field separately: filling one later must not change the texts of the others.
    fields = {"": _Texts(value, is_own=is_own).items(value)}
    for name, part in parts:
        is_kept = is_own and name.startswith("_") and not _is_plain(part)
        fields[name] = "" if is_kept else _Texts(value, is_own=is_own).text(part)
    return {name: text if len(text) < 64 else _digest(text) for name, text in fields.items()}


def data_of(value: object) -> dict[str, str]:
    """Return {field: codec text} of the fields of an instance that hold plain data."""
    parts = [(name, part) for name, part in instance_state(value) if name != _DOC]
    return {name: codec.encode(part) for name, part in parts if _is_plain(part)}


def differing_fields(value: object, data: dict[str, str]) -> list[tuple[str, str]]:
    """Return (field, codec text) of the fields that do not hold the given plain data."""
    held = dict(instance_state(value))
    return [
        (field, text)
        for field, text in data.items()
        if _Texts(value).text(held.get(field)) != _Texts(value).text(codec.decode(text))
    ]


def put_data(value: object, field: str, text: str) -> None:
    """Replace the plain data in a field of an instance, unless other objects could see the change.

    A list, dict or set stays the same object and gets new items, since other objects of the package may hold it too. On the host, a public field
    may meanwhile hold another list, which those objects do not see. So a public field is left unchanged if other objects hold its list.
    """
    data, fields = codec.decode(text), dict(instance_state(value))
    old: Any = fields.get(field)
    if type(old) is type(data) and type(data) in _FILLED:
        if not field.startswith("_") and _is_shared(old, value, fields):
            return
        old.clear()
        _FILLED[type(data)](old, data)
        return
    slots = {name: slot for cls in reversed(mro_of(type(value))) for name, slot in slots_of(cls).items()}
    if field in slots:
        slots[field].__set__(value, data)
    else:
        object.__getattribute__(value, "__dict__")[field] = data


def _is_shared(held: object, owner: object, fields: dict[str, object]) -> bool:
    namespace = getattr(owner, "__dict__", None)
    holders = (each for each in gc.get_referrers(held) if type(each) is not types.FrameType)
    return any(each is not owner and each is not fields and each is not namespace for each in holders)


def _is_plain(part: Any) -> bool:
    """Return whether a value is an atom, a tuple of plain data, or a list, dict or set without nested ones."""
    if type(part) not in _FILLED:
        return _is_immutable(part)
    items = (*part, *part.values()) if type(part) is dict else part
    return len(part) <= _LONGEST and all(map(_is_immutable, items))


def _is_immutable(part: Any) -> bool:
    waiting = [part]
    while waiting:
        each = waiting.pop()
        if type(each) in {tuple, frozenset} and len(waiting) + len(each) <= _LONGEST:
            waiting += each
        elif type(each) not in ATOMS:
            return False
    return True


def changed_field(before: dict[str, str], after: dict[str, str]) -> str | None:
    """Return the first field that differs; None if the states agree.

    A private field that was None, or missing, and has a value now counts as a cached result, not as a change.
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
        root: the instance whose parts the values are.
        is_own: see `state_of`.
    """

    def __init__(self, root: object, *, is_own: bool = False) -> None:
        self._is_own = is_own
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
            if self._is_own:
                return ""
            return ",".join(f"{self.text(key)}:{self.text(item)}" for key, item in dict.items(value))
        if is_a(value, list | tuple):
            kind: Any = list if is_a(value, list) else tuple
            return ",".join(map(self.text, kind.__iter__(value)))
        if is_a(value, set | frozenset):
            kind = set if is_a(value, set) else frozenset
            return ",".join(sorted(_Texts(value, is_own=self._is_own).text(item) for item in kind.__iter__(value)))
        return ""


_FILLED: Final[dict[type, Any]] = {list: list.extend, dict: dict.update, set: set.update}


def _home(thing: Any) -> str:
    """Return the module of a function or class; it may differ between versions of the standard library."""
    module = str(getattr(thing, "__module__", None) or "")
    return "" if module.partition(".")[0] in sys.stdlib_module_names else f"{module}."
