"""The declarations `PerProcess[...]` of globals and class attributes, in all spellings."""

from __future__ import annotations

import ast
import sys
import types
import typing
from typing import Any, Final

from capsend_traits import table

from capsend.codec.instances import is_a
from capsend.source.modules import loaded
from capsend.traits.fields import annotations_of
from capsend.traits.markers import PER_PROCESS, PerProcess

_AROUND: Final = (typing.Final, typing.ClassVar)
_PLAIN: Final = (types.FunctionType, type, types.ModuleType)
_of_files: Final[set[str]] = set()


def declares_per_process(namespace: dict[str, Any], name: str, value: Any) -> bool:
    """Return whether a global is declared `PerProcess[...]` in its own module or in the module from which it was imported."""
    annotations = _annotations(namespace)
    if name in annotations:
        return is_per_process(annotations[name], namespace)
    if table().is_per_process(f"{namespace.get('__name__')}.{name}"):
        return True
    if is_a(value, _PLAIN) or type(value).__hash__ is not None:
        return False
    return any(
        inner.get(key) is value and is_per_process(annotation, inner)
        for inner in [getattr(module, "__dict__", {}) for module in list(sys.modules.values())]
        for key, annotation in _annotations(inner).items()
    )


def class_declares_per_process(cls: type, name: str) -> bool:
    """Return whether a class attribute is declared `PerProcess[...]`, in the class or in a declaration file.

    A private name may be given mangled or not.
    """
    namespace = vars(loaded(cls.__module__) or types.ModuleType(""))
    return is_per_process(annotations_of(cls).get(_mangled(cls, name)), namespace) or file_declares(cls, name)


def file_declares(cls: type, name: str) -> bool:
    """Return whether a declaration file declares a class attribute `PerProcess[...]`.

    Only the host has declaration files.
    """
    full = f"{cls.__module__}.{cls.__qualname__}.{_mangled(cls, name)}"
    return full in _of_files or table().is_per_process(full)


def note_file(cls: type, name: str) -> None:
    """Record, in a process, a class attribute that a declaration file of the host declares."""
    _of_files.add(f"{cls.__module__}.{cls.__qualname__}.{_mangled(cls, name)}")


def _mangled(cls: type, name: str) -> str:
    return f"_{cls.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name


def is_per_process(annotation: object, namespace: dict[str, Any]) -> bool:
    """Return whether an annotation is `PerProcess[...]`, evaluated or not, under any name, even within `Final` or `ClassVar`.

    Args:
        annotation: the annotation.
        namespace: the globals in which it was written.
    """
    while typing.get_origin(annotation) in _AROUND:
        annotation = typing.get_args(annotation)[0]
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return PER_PROCESS in getattr(annotation, "__metadata__", ())
    try:
        expression: ast.AST = ast.parse(annotation.strip(), mode="eval").body
    except SyntaxError:
        return False
    return _is_written(expression, namespace)


def _is_written(expression: ast.AST, namespace: dict[str, Any]) -> bool:
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        return is_per_process(expression.value, namespace)
    if not isinstance(expression, ast.Subscript):
        return False
    head = _named(expression.value, namespace)
    return head is PerProcess or (head in _AROUND and _is_written(expression.slice, namespace))


def _named(expression: ast.AST, namespace: dict[str, Any]) -> object:
    if isinstance(expression, ast.Name):
        return namespace.get(expression.id)
    if isinstance(expression, ast.Attribute):
        owner = _named(expression.value, namespace)
        return vars(owner).get(expression.attr) if is_a(owner, types.ModuleType) else None
    return None


def _annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    annotations = namespace.get("__annotations__")
    if annotations is None and sys.version_info >= (3, 14):
        import annotationlib

        annotate = namespace.get("__annotate__")
        if annotate is not None:
            annotations = annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF)
    return annotations if isinstance(annotations, dict) else {}
