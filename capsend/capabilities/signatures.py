"""Annotations as checks: each value that a process passes to a function of the host is checked against its parameter's annotation."""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import enum
import inspect
import threading
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import attrs
import typing_extensions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Check: TypeAlias = "Callable[[Any], str]"
"""Returns the problem of a value as text; empty if the value fits."""

_SEQUENCES: Final = (
    list,
    set,
    frozenset,
    collections.deque,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Set,
    collections.abc.MutableSet,
    collections.abc.Collection,
    collections.abc.Iterable,
)
_MAPPINGS: Final = (
    dict,
    collections.defaultdict,
    collections.OrderedDict,
    collections.abc.Mapping,
    collections.abc.MutableMapping,
)
_NUMBERS: Final[dict[type, tuple[type, ...]]] = {float: (int,), complex: (int, float)}
_ANYTHING: Final = (Any, object)


class _State(threading.local):
    verdicts: dict[tuple[int, int], tuple[Any, str]] | None = None


_state: Final = _State()


@attrs.frozen
class Signature:
    """The parameters and the result of a function, each with its check.

    Attributes:
        text: the signature as written, such as `price(sku: str) -> Decimal`.
        bound: binds arguments to parameters.
        checks: {parameter: check}.
        result: the check of the result.
    """

    text: str
    bound: inspect.Signature
    checks: Mapping[str, Check]
    result: Check

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        """Match arguments with parameters.

        Raises:
            TypeError: the arguments do not fit, in number, by name or by type.
        """
        bound = self.bound.bind(*args, **kwargs)
        with _remembering():
            self._check(bound)
        return bound

    def _check(self, bound: inspect.BoundArguments) -> None:
        for name, value in bound.arguments.items():
            kind = self.bound.parameters[name].kind
            values = [(name, value)]
            if kind is inspect.Parameter.VAR_POSITIONAL:
                values = [(f"{name}[{index}]", each) for index, each in enumerate(value)]
            elif kind is inspect.Parameter.VAR_KEYWORD:
                values = list(value.items())
            for label, each in values:
                problem = self.checks[name](each)
                if problem:
                    raise TypeError(f"{label}{problem}")


def signature_of(function: Any, name: str) -> Signature:
    """Read a function's annotations.

    Raises:
        TypeError: a parameter or the result has no annotation, or one that values cannot be checked against.
        NameError: an annotation names an object that does not exist, or not yet.
    """
    bound = inspect.signature(function)
    plain = getattr(function, "__func__", function)
    hints = typing.get_type_hints(plain, localns=_enclosed(plain), include_extras=True)
    needed = [*bound.parameters, "return"]
    missing = next((each for each in needed if each not in hints), None)
    if missing is not None:
        what = "its result" if missing == "return" else f"parameter {missing}"
        raise TypeError(
            f"{name} has no annotation for {what}: the arguments that a process passes are checked against the annotations. Write all of them"
        )
    checks = {each: check_of(hints[each], f"{name}, {each}") for each in needed}
    return Signature(f"{name}{bound}", bound, checks, checks["return"])


def _enclosed(function: Any) -> dict[str, Any]:
    """Return the names of enclosing functions that a function sees."""
    found = {}
    for name, cell in (
        zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        if hasattr(function, "__code__")
        else ()
    ):
        with contextlib.suppress(ValueError):
            found[name] = cell.cell_contents
    return found


def check_of(annotation: Any, where: str) -> Check:
    """Make the check of an annotation; it looks into containers, and not into instances.

    Raises:
        TypeError: no value can be checked against the annotation.
    """
    if annotation in _ANYTHING:
        return _accept
    if annotation is None:
        return _class_check(type(None))
    if annotation is typing_extensions.LiteralString:
        return _class_check(str)
    if isinstance(annotation, typing.NewType):
        return check_of(annotation.__supertype__, where)
    if isinstance(annotation, typing_extensions.TypeAliasType) or type(annotation).__name__ == "TypeAliasType":
        return check_of(annotation.__value__, where)
    if isinstance(annotation, typing.TypeVar):
        choices = annotation.__constraints__ or (annotation.__bound__ or object,)
        return _any_of([check_of(each, where) for each in choices], _name(annotation))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is not None:
        return _generic(annotation, origin, arguments, where)
    if typing_extensions.is_typeddict(annotation):
        return _typed_dict(annotation, where)
    if isinstance(annotation, type) and not getattr(annotation, "_is_protocol", False):
        return _class_check(annotation)
    raise TypeError(
        f"{where}: no value can be checked against {_name(annotation)}. Annotate it with a class, or a container of classes"
    )


def _generic(annotation: Any, origin: Any, arguments: tuple[Any, ...], where: str) -> Check:
    if origin is typing.Union or origin is types.UnionType:
        return _any_of([check_of(each, where) for each in arguments], _name(annotation))
    if origin is Literal:
        return _literal(arguments)
    if origin in {Annotated, typing.Final}:
        return check_of(arguments[0], where)
    if origin is tuple:
        return _tuple(arguments, where)
    if origin in _SEQUENCES:
        return _each(origin, check_of(arguments[0], where))
    if origin in _MAPPINGS:
        return _mapping(origin, check_of(arguments[0], where), check_of(arguments[1], where))
    if origin is collections.Counter:
        return _mapping(origin, check_of(arguments[0], where), _class_check(int))
    if origin is type or origin is collections.abc.Callable:
        raise TypeError(
            f"{where}: no value can be checked against {_name(annotation)}. A process passes data; name the function to call by an enum"
        )
    return check_of(origin, where)


def _accept(_value: Any) -> str:
    return ""


def _class_check(cls: Any) -> Check:
    accepted = (cls, *_NUMBERS.get(cls, ()))
    text = f"must be {_name(cls)}"

    def check(value: Any) -> str:
        # By the class itself: instances may claim another.
        return "" if issubclass(type(value), accepted) else f" {text}, not {type(value).__name__}"

    return check


def _any_of(checks: list[Check], name: str) -> Check:
    def check(value: Any) -> str:
        if any(not each(value) for each in checks):
            return ""
        return checks[0](value) if len(checks) == 1 else f" must be {name}, not {type(value).__name__}"

    return check


def _literal(values: tuple[Any, ...]) -> Check:
    shown = ", ".join(map(repr, values))

    def check(value: Any) -> str:
        good = any(type(value) is type(each) and (isinstance(each, enum.Enum) or value == each) for each in values)
        return "" if good and (not isinstance(value, enum.Enum) or value in values) else f" must be one of {shown}"

    return check


@contextlib.contextmanager
def _remembering() -> Iterator[None]:
    """Check each container once in each call, however often it occurs: a process can make few lists into a tree without end."""
    _state.verdicts = {}
    try:
        yield
    finally:
        _state.verdicts = None


def _once(check: Check) -> Check:
    def remembered(value: Any) -> str:
        verdicts = _state.verdicts
        if verdicts is None:
            with _remembering():
                return remembered(value)
        key = (id(value), id(check))
        known = verdicts.get(key)
        if known is None:
            known = verdicts[key] = (value, check(value))  # with the value, whose id is its own while the value lives
        return known[1]

    return remembered


def _tuple(arguments: tuple[Any, ...], where: str) -> Check:
    if len(arguments) == 2 and arguments[1] is ...:
        return _each(tuple, check_of(arguments[0], where))
    checks = [check_of(each, where) for each in arguments]
    whole = _class_check(tuple)

    def check(value: Any) -> str:
        if problem := whole(value):
            return problem
        if len(value) != len(checks):
            return f" must have {len(checks)} items, not {len(value)}"
        return _first(zip(range(len(value)), value, checks, strict=True))

    return _once(check)


def _each(cls: Any, item: Check) -> Check:
    whole = _class_check(cls)

    def check(value: Any) -> str:
        if problem := whole(value):
            return problem
        if isinstance(value, collections.abc.Iterator):
            return " must be a container, not an iterator"
        return "" if item is _accept else _first((index, each, item) for index, each in enumerate(value))

    return _once(check)


def _mapping(cls: Any, key: Check, item: Check) -> Check:
    whole = _class_check(cls)

    def check(value: Any) -> str:
        if problem := whole(value):
            return problem
        for each in value:
            if problem := key(each):
                return f" key{problem}"
        return _first((each, value[each], item) for each in value)

    return _once(check)


def _typed_dict(annotation: Any, where: str) -> Check:
    checks = {name: check_of(_bare(hint), where) for name, hint in typing_extensions.get_type_hints(annotation).items()}
    required: frozenset[str] = annotation.__required_keys__
    whole = _class_check(dict)

    def check(value: Any) -> str:
        if problem := whole(value):
            return problem
        missing = sorted(required - value.keys())
        unknown = [each for each in value if each not in checks]
        if missing or unknown:
            return f" must have the key {missing[0]!r}" if missing else " has a key that is not declared"
        return _first((each, value[each], checks[each]) for each in value)

    return _once(check)


def _bare(hint: Any) -> Any:
    wrappers = (typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.ReadOnly)
    return typing.get_args(hint)[0] if typing.get_origin(hint) in wrappers else hint


def _first(parts: Any) -> str:
    """Return the first problem among `(place, value, check)`; empty if all values fit."""
    for place, value, check in parts:
        if problem := check(value):
            return f"[{place!r:.40}]{problem}"
    return ""


def _name(annotation: Any) -> str:
    return inspect.formatannotation(annotation)
