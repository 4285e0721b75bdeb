"""The fields of a class: which ones an instance has, which can be reassigned, and where they are stored."""

from __future__ import annotations

import ast
import dataclasses
import dis
import functools
import re
import sys
import types
import typing
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import attrs

from capsend.codec.instances import slots_of
from capsend.source.locate import SourceError, is_generated, locate_class
from capsend.source.modules import loaded
from capsend.traits.markers import PER_PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PYTHON_CLASS: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_IMMUTABLE: Final = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
_QUALIFIER: Final = re.compile(r"^[\"'(\s]*(?:\w+\.)*(ClassVar|InitVar|Final|KW_ONLY)\b")
_PER_PROCESS: Final = re.compile(r"^[\"'(\s]*(?:\w+\.)*PerProcess\[")
_MAKING: Final = frozenset(
    {
        "__attrs_post_init__",
        "__attrs_pre_init__",
        "__copy__",
        "__init__",
        "__new__",
        "__post_init__",
        "__set_name__",
        "__setstate__",
    }
)
"""The methods that run when an instance is made, or when it becomes an attribute of a class."""
_NO_FIELDS: Final = frozenset({"abc", "capsend.traits.markers", "enum", "typing"})
"""The modules whose classes add no fields to their subclasses."""
_NOT_FIELDS: Final = (property, functools.cached_property, classmethod, staticmethod, types.FunctionType)


@attrs.frozen
class ClassFields:
    """The fields of one class, inherited ones included.

    Attributes:
        mutable: the names of reassignable fields, in the order of declaration.
        style: "dataclass" or "attrs" for such classes, else "".
        slots: {name: descriptor} of every slot in the MRO.
        assigned: the names that methods assign on their first parameter.
        changed: the names among them that are assigned by methods other than those that make an instance.
    """

    mutable: tuple[str, ...]
    style: str
    slots: dict[str, types.MemberDescriptorType]
    assigned: frozenset[str] = frozenset()
    changed: tuple[str, ...] = ()


_cache: WeakKeyDictionary[type, ClassFields] = WeakKeyDictionary()
_known_slots: WeakKeyDictionary[type, dict[str, types.MemberDescriptorType]] = WeakKeyDictionary()


def class_fields(cls: type) -> ClassFields:
    """Return the fields of a class; the answer is cached for the life of the class."""
    known = _cache.get(cls)
    if known is None:
        known = _cache[cls] = _collect(cls)
    return known


def instance_state(value: object) -> Iterator[tuple[str, object]]:
    """Yield (field, value) of an instance for every actual field, declared or not; no property or `__getattr__` runs."""
    try:
        namespace = object.__getattribute__(value, "__dict__")
    except AttributeError:
        namespace = {}
    if type(namespace) is dict:
        # Since Python 3.14 functools.update_wrapper keeps the function that makes the annotations; it is not sent.
        yield from [item for item in namespace.items() if item[0] != "__annotate__"]
    for name, descriptor in _slots(type(value)).items():
        try:
            yield name, descriptor.__get__(value)
        except AttributeError:
            continue  # a slot without a value


def _slots(cls: type) -> dict[str, types.MemberDescriptorType]:
    """Return {name: descriptor} of every slot in the MRO of a class; the answer is kept as long as the class lives."""
    known = _known_slots.get(cls)
    if known is None:
        bases = [base for base in reversed(cls.__mro__) if _has_fields(base)]
        known = _known_slots[cls] = {name: slot for base in bases for name, slot in slots_of(base).items()}
    return known


def _has_fields(base: type) -> bool:
    return base is not object and written_in_python(base) and base.__module__ not in _NO_FIELDS


def written_in_python(cls: type) -> bool:
    """Return whether a class was made by a class statement, so that its fields are visible."""
    if not cls.__flags__ & _PYTHON_CLASS or cls.__flags__ & _IMMUTABLE:
        return False
    module = loaded(getattr(cls, "__module__", ""))
    if module is None or module.__name__ == "__main__":
        return True
    if module.__name__ in sys.builtin_module_names:
        return False
    return not str(getattr(module, "__file__", "") or "").endswith((".so", ".pyd"))


def _collect(cls: type) -> ClassFields:
    mutable: dict[str, None] = {}
    final: set[str] = set()
    assigned: set[str] = set()
    changed: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        if not _has_fields(base):
            continue
        names = slots_of(base)
        kept = _final_of(base)
        final |= kept
        stored = _assigned(base)
        assigned.update(stored)
        late = _assigned(base, late=True)
        changed.update(dict.fromkeys(late))
        candidates = [*_declared(base), *names, *stored]
        mutable.update(dict.fromkeys(name for name in candidates if name not in final))
    for name in final:
        mutable.pop(name, None)
    # A frozen class is not frozen if its methods change instances all the same, through object.__setattr__.
    mutable.update(changed)
    style = "dataclass" if dataclasses.is_dataclass(cls) else "attrs" if attrs.has(cls) else ""
    return ClassFields(
        mutable=tuple(mutable), style=style, slots=_slots(cls), assigned=frozenset(assigned), changed=tuple(changed)
    )


def annotations_of(base: type | types.FunctionType | types.ModuleType) -> dict[str, Any]:
    """Return the own annotations of a class, function or module, unevaluated if the host's Python keeps them so."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(base, format=annotationlib.Format.FORWARDREF)
    if isinstance(base, types.FunctionType):
        return dict(base.__annotations__)
    annotations = base.__dict__.get("__annotations__", {})  # noqa: RUF063 - get_annotations would refuse odd metaclasses
    return dict(annotations) if isinstance(annotations, dict) else {}  # those of `type` itself are a descriptor


def _qualifier(annotation: object) -> str:
    if isinstance(annotation, str):
        match = _QUALIFIER.match(annotation)
        return match.group(1) if match else ""
    if isinstance(annotation, dataclasses.InitVar):
        return "InitVar"
    if annotation is dataclasses.KW_ONLY:
        return "KW_ONLY"
    origin = typing.get_origin(annotation) or annotation
    return "ClassVar" if origin is typing.ClassVar else "Final" if origin is typing.Final else ""


def is_field(annotation: object) -> bool:
    """Return whether an annotated name in a class body is a field of its instances."""
    return _qualifier(annotation) in {"", "Final"}


def _declared(base: type) -> Iterator[str]:
    for name, annotation in annotations_of(base).items():
        if is_field(annotation) and not (name in vars(base) and _is_per_process(annotation)):
            yield name


def _is_per_process(annotation: object) -> bool:
    """Return whether an annotation declares a class attribute `PerProcess[...]`, under one of the usual names."""
    if isinstance(annotation, str):
        return _PER_PROCESS.match(annotation) is not None
    return PER_PROCESS in getattr(annotation, "__metadata__", ())


def _final_of(base: type) -> set[str]:
    """Return the fields that this class itself protects from reassignment."""
    final = {name for name, annotation in annotations_of(base).items() if _qualifier(annotation) == "Final"}
    frozen = is_frozen(base)
    if frozen and "__dataclass_fields__" in base.__dict__:
        final |= {f.name for f in dataclasses.fields(base)}
    if "__attrs_attrs__" in base.__dict__:
        final |= {a.name for a in base.__dict__["__attrs_attrs__"] if frozen or a.on_setattr is attrs.setters.frozen}
    if issubclass(base, tuple) and "_fields" in base.__dict__:
        final |= set(base.__dict__["_fields"])
    if _assigned(base):
        final |= final_in_methods(base)
    return final


def is_frozen(base: type) -> bool:
    """Return whether a class itself was made frozen; instances of a subclass that was not can get new attributes."""
    if "__attrs_attrs__" in base.__dict__:
        # attrs freezes with a __setattr__, which subclasses inherit.
        return getattr(base.__setattr__, "__name__", "") == "_frozen_setattrs"
    params = base.__dict__.get("__dataclass_params__")
    return params is not None and bool(params.frozen)


def _assigned(base: type, *, late: bool = False) -> list[str]:
    """Return the names that the methods of a class assign on their first parameter, unless a frozen class prevents it.

    Args:
        base: the class.
        late: True to leave out the methods that make an instance.
    """
    if not late and is_frozen(base):
        return []
    names: dict[str, None] = {}
    for name, value in vars(base).items():
        function = value.fset if isinstance(value, property) else value
        if (
            isinstance(function, types.FunctionType)
            and function.__module__ == base.__module__
            and function.__code__.co_argcount
            and not is_generated(function.__code__)
            and not (late and name in _MAKING)
        ):
            names.update(dict.fromkeys(_stores(function.__code__)))
    return [name for name in names if not isinstance(base.__dict__.get(name), _NOT_FIELDS)]


def _stores(code: types.CodeType) -> Iterator[str]:
    first = code.co_varnames[0]
    previous: object = None
    forced = False
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_ATTR" and previous == first:
            yield instruction.argval
        # object.__setattr__(self, "name", value) is an assignment too.
        if instruction.opname in {"LOAD_ATTR", "LOAD_METHOD"} and instruction.argval == "__setattr__":
            forced = True
        elif forced and instruction.opname == "LOAD_CONST":
            forced = False
            if previous == first and isinstance(instruction.argval, str):
                yield instruction.argval
        loaded = instruction.argval if instruction.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) else None
        previous = loaded[-1] if isinstance(loaded, tuple) else loaded


def _mangled(name: str, cls: type) -> str:
    private = name.startswith("__") and not name.endswith("__")
    return f"_{cls.__name__.lstrip('_')}{name}" if private else name


_kept_final: WeakKeyDictionary[type, frozenset[str]] = WeakKeyDictionary()


def keep_final(cls: type, names: Iterable[str]) -> None:
    """Record the fields of a class that its methods declare `Final`: a guest has no source of its classes."""
    _kept_final[cls] = frozenset(names)


def final_in_methods(base: type) -> set[str]:
    """Return the fields that methods declare `Final`.

    Only the source shows `self.rows: Final = rows`, which leaves no trace at run time.
    """
    if base in _kept_final:
        return set(_kept_final[base])
    try:
        node = locate_class(base).node
    except SourceError:
        return set()
    return {
        _mangled(statement.target.attr, base)
        for statement in ast.walk(node)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Attribute)
        and _qualifier(ast.unparse(statement.annotation)) == "Final"
    }
