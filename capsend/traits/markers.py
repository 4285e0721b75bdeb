"""The two marker traits, and the decorators for explicit impls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeVar

import attrs

from capsend.exceptions import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
ClassT = TypeVar("ClassT", bound=type[Any])

IMPL: Final = "__capsend_impl__"


class ProcessSend(Protocol):
    """Marker trait of the captures of a spawned callable: deeply immutable values, and handles made to be sent.

    It is an auto trait: a class has it when all its fields have it, without a declaration. To name it as a base class
    or as the bound of a type variable requests a check. For a type checker without capsend's mypy plugin it is an empty
    protocol, which every type satisfies.

    Source: Rust's auto traits (`&T: Send`); SE-0302 (Swift's `Sendable`).
    """


class Serializable(Protocol):
    """Marker trait of arguments, messages and results: values that can be rebuilt from bytes, as intended copies.

    Everything that is `ProcessSend` is also `Serializable`; mutable containers of such values are too.

    Source: Rust's `Serialize + DeserializeOwned`.
    """


PER_PROCESS: Final = "capsend.PerProcess"

PerProcess = Annotated[T, PER_PROCESS]
"""Declare a module-level constant of which every process may own a copy: `TABLE: PerProcess[dict[str, int]] = {...}`.

The constant is then sent by value although it is mutable; a process's changes stay in that process.
"""


@attrs.frozen
class Impl:
    """An explicit impl of a class: its sign, its reason, and the class on which it was written."""

    positive: bool
    reason: str
    owner: str


def explicit_impl(cls: type) -> Impl | None:
    """Return the impl written on *cls*, or an inherited negative one; an unsafe impl is not inherited."""
    own: Impl | None = cls.__dict__.get(IMPL)
    if own is not None:
        return own
    for base in cls.__mro__[1:]:
        impl: Impl | None = base.__dict__.get(IMPL)
        if impl is not None and not impl.positive:
            return impl
    return None


def not_process_send(reason: str) -> Callable[[ClassT], ClassT]:
    """Declare that instances of a class stay in their process, whatever the fields; subclasses inherit the declaration.

    Args:
        reason: shown wherever an instance is refused.

    Raises:
        CaptureError: the reason is empty, or the class also has an unsafe impl.

    Source:
        Rust's negative impls (`impl !Send for T`).
    """
    return _impl("not_process_send", reason, positive=False)


def unsafe_process_send(reason: str) -> Callable[[ClassT], ClassT]:
    """Promise that a class is safe to capture although its fields do not show this. A subclass must repeat the promise.

    The promise is not checked. The state of the class's own `__getstate__`, or else its fields, is sent by value.

    Args:
        reason: the reason why the class is safe; shown in the audit listing.

    Raises:
        CaptureError: the reason is empty, or the class also has a negative impl.

    Source:
        Rust's `unsafe impl Send for T`.
    """
    return _impl("unsafe_process_send", reason, positive=True)


def _impl(decorator: str, reason: str, *, positive: bool) -> Callable[[ClassT], ClassT]:
    given: object = reason
    if not isinstance(given, str) or not given.strip():
        raise CaptureError(f'@{decorator} needs its reason: it is shown in messages. Write @{decorator}("...").')

    def mark(cls: ClassT) -> ClassT:
        if not isinstance(cls, type):
            raise CaptureError(f"@{decorator} decorates a class, not {type(cls).__name__}.")
        other: Impl | None = cls.__dict__.get(IMPL)
        if other is not None and other.positive != positive:
            raise CaptureError(
                f"class {cls.__qualname__} has both a negative and an unsafe impl of ProcessSend: "
                f'"{reason}" against "{other.reason}". Keep one of @not_process_send and @unsafe_process_send.'
            )
        setattr(cls, IMPL, Impl(positive=positive, reason=reason, owner=cls.__qualname__))
        return cls

    return mark
