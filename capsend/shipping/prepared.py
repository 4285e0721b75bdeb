"""Programs of callables: walked once, and used again while everything that the walk read is the same."""

from __future__ import annotations

import inspect
import operator
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
from capsend_traits.wording import opening, report

from capsend.codec.text import dumps
from capsend.exceptions import CaptureError
from capsend.shipping.captures.message_types import message_type
from capsend.shipping.captures.origins import Origins, resolve
from capsend.shipping.captures.walk import Walk, callable_name
from capsend.shipping.identities import has_no_identity
from capsend.shipping.refusals import Refusals
from capsend.shipping.reuse import Reuse
from capsend.shipping.varying import shape_of
from capsend.source.modules import loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from capsend_traits.wording import Finding

    from capsend.shipping.captures.context import Context
    from capsend.shipping.captures.observed import Observed
    from capsend.shipping.program import Program
    from capsend.shipping.varying import Shape, Written

MOST: Final = 256
MOST_BYTES: Final = 64 << 20
MOST_OF_ONE_CODE: Final = 4
_OVERHEAD: Final = 16 << 10
_Callable: TypeAlias = types.FunctionType | types.BuiltinFunctionType | type
_KINDS: Final = (types.FunctionType, types.BuiltinFunctionType, type)


@attrs.define
class Prepared:
    """A walked callable: its program, and the observations that must hold for each further use.

    Attributes:
        program: the program, which calls with more arguments extend; its steps are kept only as `text`.
        origins: the origins of modules, by the content of the image.
        text: the entry and the steps, for the process.
        names: (module, qualified name) of every object of the image that the program names.
        objects: the host's objects, by the program's numbers.
        reuse: the work for the program that is done once.
        is_extensible: True if the program names the objects of `text`; False where `text` sets other plain constants than those of the walk.
    """

    program: Program
    origins: Origins
    text: str
    names: frozenset[tuple[str, str]]
    _observed: Observed
    _head: str = ""
    _written: Written | None = None
    objects: list[object] = attrs.field(default=attrs.Factory(lambda self: self.program.objects, takes_self=True))
    reuse: Reuse = attrs.field(default=attrs.Factory(lambda self: Reuse(len(self.text)), takes_self=True))
    is_extensible: bool = True

    @property
    def size(self) -> int:
        """Bytes that it keeps: its text, the values from which the text was made, and its code, which comes later."""
        return _OVERHEAD + 2 * len(self.text) + len(self._head) + len(self.reuse.code or "")

    def still_true(self) -> bool:
        """Return whether everything that was read is the same now."""
        return self._observed.hold()

    def has(self, thing: object) -> bool:
        """Return whether the program makes an object, other than for a global that the program's code does not name."""
        written = self._written
        if written is not None and id(thing) in written.named and not has_no_identity(thing):
            return True
        is_loose = written is not None and id(thing) in written.loose
        return not is_loose and self.program.entity(thing) is not None

    def filled(self, function: object, *, original: object = None) -> Prepared | None:
        """Return the program with the present plain constants; None if one of them has another shape, or is shared differently.

        Args:
            function: the spawned function.
            original: the walked function, if it is another one; the returned program is that of *function*.
        """
        varying, written, objects = self.program.varying, self._written, self.objects
        if original is not None:
            objects = [function if thing is original else thing for thing in objects]
        if varying is not None and written is not None:
            values = varying.values(function if isinstance(function, types.FunctionType) else None)
            if values is None:
                return None
            if not all(map(operator.is_, values, written.values)):
                written = varying.write(values)
                if written is None:
                    return None
                objects = [*objects[: varying.first], *written.objects]
                text = f"{self.program.closed(self._head, written.steps, objects)}}}"
                return self._with(text, objects, written, is_extensible=False)
        return self if original is None else self._with(self.text, objects, written, is_extensible=self.is_extensible)

    def _with(self, text: str, objects: list[object], written: Written | None, *, is_extensible: bool) -> Prepared:
        """Return a copy with another text; `attrs.evolve` would take as long as all checks of a repeated spawn."""
        return Prepared(
            self.program,
            self.origins,
            text,
            self.names,
            self._observed,
            self._head,
            written,
            objects,
            self.reuse,
            is_extensible,
        )

    def for_twin(self, function: types.FunctionType, twin: types.FunctionType) -> Prepared | None:
        """Return the same program with *twin* in place of *function*; None if functions of the program share cells."""
        if self.program.count_cells() != len(function.__closure__ or ()):
            return None
        return self.filled(twin, original=function)


@attrs.frozen
class _Held:
    """The content of a closure, without keeping its objects alive: shapes of plain constants, and weak references to other objects."""

    _shapes: tuple[Shape | None, ...]
    _references: tuple[Callable[[], object] | None, ...]

    @classmethod
    def of(cls, function: types.FunctionType) -> _Held | None:
        """Return the content of a closure; None if a cell is empty, or if one of its objects cannot be referenced weakly."""
        held = _held_by(function)
        if held is None:
            return None
        shapes = tuple(map(shape_of, held))
        try:
            references = tuple(
                None if shape is not None else weakref.ref(thing) for thing, shape in zip(held, shapes, strict=True)
            )
        except TypeError:
            return None
        return cls(shapes, references)

    def is_of(self, function: types.FunctionType) -> bool:
        """Return whether a closure holds the same objects, and plain constants of the same shapes."""
        held = _held_by(function)
        return (
            held is not None
            and len(held) == len(self._references)
            and all(
                shape_of(thing) == shape if reference is None else reference() is thing
                for thing, shape, reference in zip(held, self._shapes, self._references, strict=True)
            )
        )


class _Kept:
    """The programs that may be used again.

    A program keeps its function alive, with all captures. So a program is kept at its first spawn only if the
    function's module keeps the function too. The program of a closure is kept from its second spawn on, and only for a
    few closures of one `def`. The oldest programs are dropped when they become too many or too large.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._programs: dict[tuple[int, object], tuple[_Callable, Prepared]] = {}
        self._spawned: weakref.WeakKeyDictionary[
            types.CodeType, tuple[weakref.ref[types.FunctionType], _Held | None]
        ] = weakref.WeakKeyDictionary()
        self._closures: dict[tuple[int, object], types.FunctionType] = {}

    def get(self, function: object, image: object) -> Prepared | None:
        """Return the program of a function, if one is kept and still valid."""
        known = self._true(function, image)
        return None if known is None else known.filled(function)

    def _true(self, function: object, image: object) -> Prepared | None:
        known = self._programs.get((id(function), image))
        return known[1] if known is not None and known[1].still_true() else None

    def twin_of(self, function: object, image: object) -> Prepared | None:
        """Return a valid kept program of another closure of the same `def` that differs in plain constants only."""
        if type(function) is not types.FunctionType:
            return None
        other = self._closures.get((id(function.__code__), image))
        if other is None or not are_twins(function, other):
            return None
        known = self._true(other, image)
        return None if known is None else known.for_twin(other, function)

    def keep(self, function: _Callable, image: object, prepared: Prepared) -> None:
        """Keep the program of a function or class, if it will probably be spawned again."""
        with self._lock:
            self._drop((id(function), image))
            if prepared.size > MOST_BYTES or not self.is_worth_it(function):
                return
            self._programs[id(function), image] = function, prepared
            if isinstance(function, types.FunctionType) and "<" in function.__qualname__:
                self._closures[id(function.__code__), image] = function
            code = getattr(function, "__code__", function)
            of_one_code = [
                key for key, (other, _) in self._programs.items() if getattr(other, "__code__", other) is code
            ]
            for key in of_one_code[:-MOST_OF_ONE_CODE]:
                self._drop(key)
            size = sum(known.size for _, known in self._programs.values())
            while len(self._programs) > MOST or size > MOST_BYTES:
                oldest = next(iter(self._programs))
                size -= self._programs[oldest][1].size
                self._drop(oldest)

    def is_worth_it(self, function: _Callable) -> bool:
        """Return whether a function will probably be spawned again."""
        module = loaded(str(function.__module__))
        if module is not None and resolve(module, function.__qualname__) is function:
            return True
        if not isinstance(function, types.FunctionType):
            return False
        before = self._spawned.get(function.__code__)
        self._spawned[function.__code__] = weakref.ref(function), _Held.of(function)
        return before is not None and (before[0]() is function or (before[1] is not None and before[1].is_of(function)))

    def _drop(self, key: tuple[int, object]) -> None:
        known = self._programs.pop(key, None)
        if known is not None:
            code = (id(getattr(known[0], "__code__", None)), key[1])
            if self._closures.get(code) is known[0]:
                del self._closures[code]


def _held_by(function: types.FunctionType) -> list[object] | None:
    """Return the values in a closure's cells and defaults; None if a cell is empty."""
    held: list[object] = []
    try:
        for cell in function.__closure__ or ():
            held.append(cell.cell_contents)  # noqa: PERF401 - a comprehension would not be left by an empty cell
    except ValueError:
        return None
    if function.__defaults__:
        held += function.__defaults__
    return held


def _hold_alike(one: types.FunctionType, other: types.FunctionType) -> bool:
    """Return whether two functions hold the same objects, except for plain constants of the same shapes."""
    mine, theirs = _held_by(one), _held_by(other)
    if mine is None or theirs is None or len(mine) != len(theirs):
        return False
    for thing, counterpart in zip(mine, theirs, strict=True):
        if thing is not counterpart and ((shape := shape_of(thing)) is None or shape != shape_of(counterpart)):
            return False
    return True


def _have_same_annotations(one: types.FunctionType, other: types.FunctionType) -> bool:
    # Since Python 3.14 `__annotations__` runs user code, unless the function has none.
    maker: Any = getattr(one, "__annotate__", None)
    other_maker: Any = getattr(other, "__annotate__", None)
    if maker or other_maker:
        same_code = maker and other_maker and maker.__code__ is other_maker.__code__
        return bool(same_code and not maker.__closure__ and not other_maker.__closure__)
    mine, theirs = one.__annotations__, other.__annotations__
    if not mine and not theirs:
        return True
    return [*mine] == [*theirs] and all(map(operator.is_, mine.values(), theirs.values()))


def are_twins(one: types.FunctionType, other: types.FunctionType) -> bool:
    """Return whether two functions come from the same `def` or `lambda`, hold alike, and neither was changed."""
    if one.__code__ is not other.__code__ or one.__globals__ is not other.__globals__:
        return False
    if len(one.__defaults__ or ()) != len(other.__defaults__ or ()) or one.__kwdefaults__ or other.__kwdefaults__:
        return False
    if not _hold_alike(one, other) or vars(one) or vars(other):
        return False
    if getattr(one, "__builtins__", None) is not getattr(other, "__builtins__", None):
        return False
    if "<" not in one.__qualname__ or len(getattr(one, "__type_params__", "")):
        return False
    return (
        _have_same_annotations(one, other)
        and one.__name__ is other.__name__
        and one.__qualname__ is other.__qualname__
        and one.__module__ is other.__module__
        and one.__doc__ is other.__doc__
    )


_kept = _Kept()
_refused = Refusals()


def prepared_for(
    function: Callable[..., Any], knows: Callable[[str], bool], image: object, *, twins: bool = False
) -> Prepared:
    """Return the program of a callable; see `capsend.shipping.ship` for the other arguments and the errors.

    Args:
        function: the callable.
        knows: returns whether the image has the module of a full name.
        image: the image that `knows` asks.
        twins: True to accept the program of another closure of the same `def` that holds alike; such a program cannot
            be extended.
    """
    plain: Any = getattr(function, "__capsend_function__", function)
    known = _kept.get(plain, image)
    if known is None and twins:
        known = _kept.twin_of(plain, image)
    if known is not None and (twins or known.is_extensible):
        known.reuse.want_code()
        return known
    refused = _refused.get(plain, image)
    if refused:
        raise _refusal(plain, refused, "spawn")
    context, entry = walked(plain, knows)
    if context.findings:
        if context.reusable and isinstance(plain, _KINDS) and _kept.is_worth_it(plain):
            _refused.keep(plain, image, context.findings, context.observed)
        raise _refusal(plain, context.findings, "spawn")
    prepared = _written(context, entry)
    if context.reusable and isinstance(plain, _KINDS):
        _kept.keep(plain, image, prepared)
    return prepared


def prepared_asking(function: Callable[..., Any], knows: Callable[[str], bool], asked: set[str]) -> Prepared:
    """Return the program of a callable, with the additions that these names ask for; the program is not kept.

    The arguments of the call use the names.

    Raises:
        CaptureError: a capture of the callable cannot be sent.
    """
    context, entry = walked(getattr(function, "__capsend_function__", function), knows, asked=asked)
    if context.findings:
        raise _refusal(function, context.findings, "spawn")
    return _written(context, entry)


def _written(context: Context, entry: int | str) -> Prepared:
    program, written = context.program, context.program.written
    head = f'{{"entry":{dumps(entry)},"steps":{program.first_text()}'
    text = f"{program.closed(head, () if written is None else written.steps, program.objects)}}}"
    kept = "" if written is None else head
    prepared = Prepared(program, context.origins, text, frozenset(program.names()), context.observed, kept, written)
    program.steps = []
    return prepared


def require_sendable(
    function: Any, knows: Callable[[str], bool], *, defining: bool = False, verb: str = "spawn"
) -> None:
    """Raise the error of a callable that cannot be sent.

    Args:
        function: the callable.
        knows: returns whether the image has the module of a full name.
        defining: True to pass over names without a value, as at a definition.
        verb: the intended act, for the message.

    Raises:
        CaptureError: a capture of the callable cannot be sent.
    """
    context, _ = walked(function, knows, defining=defining)
    if context.findings:
        raise _refusal(function, context.findings, verb)


def _refusal(function: object, findings: list[Finding], verb: str) -> CaptureError:
    return CaptureError(report(opening(callable_name(function), findings, verb=verb), findings), findings=findings)


def walked(
    function: Any, knows: Callable[[str], bool], *, defining: bool = False, asked: Collection[str] = ()
) -> tuple[Context, int | str]:
    """Walk over a callable; see `require_sendable` for the other arguments.

    Args:
        function: the callable.
        knows: returns whether the image has the module of a full name.
        defining: True to pass over names without a value, as at a definition.
        asked: names by which the arguments ask about the program's entities.

    Returns:
        (the context of the walk, the rendered reference to the callable).
    """
    walk = Walk(origins=Origins(knows=knows, own=package_of(function)), defining=defining)
    walk.context.program.asked.update(asked)
    reference = walk.root(function)
    message = message_type(function)
    if message is not None:
        walk.messages(message[0], function)
    context = dismantled(walk)
    entry: int | str = 0
    if context.findings or not context.reusable:
        context.program.fix()
    if reference is not None and not context.findings:
        entry = context.program.render(reference)[0]  # raises for values that have no encoding
    return context, entry


def dismantled(walk: Walk) -> Context:
    """Take a walk apart, and return its context.

    The parts of a walk refer to each other; without this their objects would wait for the garbage collector.
    """
    context = walk.context
    for part in list(vars(walk).values()):
        if part is not context:
            vars(part).clear()
    vars(walk).clear()
    return context


def package_of(function: Any) -> str:
    """Return the top-level package of a callable, which counts as the user's even if it is installed."""
    module = getattr(inspect.unwrap(getattr(function, "func", function)), "__module__", None)
    return module.partition(".")[0] if isinstance(module, str) else ""
