"""The classes of a walk: their entities, what their statements need, and which of their attributes and methods are reached."""

from __future__ import annotations

import abc
import ast
import collections.abc
import enum
import numbers
import sys
import types
from _abc import _get_dump  # type: ignore[import-not-found]  # there is no public way to ask what was registered
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits import wording
from capsend_traits.wording import Kind, Leaf

from capsend import typeforms
from capsend.captures.attributes import Origin as AttributeOrigin
from capsend.captures.attributes import origin_of, stale_defaults, without_staticmethod
from capsend.captures.context import CANNOT_BE_SENT, Place, Refused, Unfinished, functions_in
from capsend.captures.per_process import class_declares_per_process
from capsend.captures.sources import class_source, function_source
from capsend.fields import class_fields, instance_state
from capsend.origins import Origin, missing_module_cure, resolve
from capsend.parts import ATOMS
from capsend.references import Read
from capsend.source import SourceError, is_generated, locate_alias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capsend.captures import Walk
    from capsend.references import ClassReferences
    from capsend.source import Source

_ABSTRACT: Final = tuple(c for m in (collections.abc, numbers) for c in vars(m).values() if isinstance(c, abc.ABCMeta))
# What class statements, dataclasses and attrs leave in a class, and make again.
_MACHINERY: Final = frozenset(
    {
        "__dataclass_params__",
        "__dataclass_fields__",
        "__match_args__",
        "__annotations__",
        "__annotations_cache__",
        "__parameters__",
        "__type_params__",
        "__orig_bases__",
        "__abstractmethods__",
        "__attrs_attrs__",
        "__attrs_props__",
        "__slots__",
        "__static_attributes__",
        "_abc_impl",
    }
)
_CONSTRUCTION: Final = ("__new__", "__init__", "__post_init__", "__attrs_pre_init__", "__attrs_post_init__")


@attrs.frozen
class _Reached:
    cls: type
    place: Place


class Classes:
    """Reaches classes."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._in_progress: set[type] = set()
        self._reached: dict[type, _Reached] = {}
        self._mentioned: dict[str, Place] = {}
        self._attributes: set[tuple[type, str]] = set()
        self._patched: set[types.FunctionType] = set()
        self._changed: list[tuple[type, int, str, object]] = []
        self._sent: set[tuple[int, str]] = set()

    def number(self, cls: type) -> int:
        """Return the entity of a class, after all that its statement needs.

        Raises:
            Refused: it is local to a function, has no source, or its module is neither the user's nor in the image.
        """
        program, origins = self._context.program, self._context.origins
        number = program.number(cls)
        if number is not None:
            return number
        if cls in self._in_progress:
            raise Unfinished(cls)
        named = origins.name_of(cls)
        if named is not None:
            return program.make(cls, "n", *named)
        twin = _with_slots(cls)
        if twin is not None:
            return program.alias(cls, self.number(twin))
        if "<locals>" in cls.__qualname__:
            raise Refused(wording.LOCAL_CLASS_VERDICT, wording.LOCAL_CLASS_CURE)
        if origins.of(cls.__module__) is Origin.MISSING:
            raise Refused(f"the image has no module {cls.__module__}", missing_module_cure(cls.__module__))
        module = sys.modules.get(cls.__module__)
        outer_name, _, name = cls.__qualname__.rpartition(".")
        outer = resolve(module, outer_name) if outer_name and module is not None else None
        if not isinstance(outer, type):
            return self._top_level(cls)
        number = program.make(cls, "a", self.number(outer), name)
        self._reached[cls] = _Reached(cls, self._context.place)
        return number

    def _top_level(self, cls: type) -> int:
        try:
            source, references = class_source(cls)
        except SourceError as error:
            form = typeforms.dissect_class(cls)
            if form is None or self._walk.values.type_form(cls, form, "Serializable"):
                raise Refused(error.verdict, error.cure) from None
            number = self._context.program.number(cls)
            assert number is not None
            return number
        return self._statement(cls, source, references)

    def alias(self, alias: Any) -> None:
        """Reach what a `type` statement made; what its value names is looked up when somebody asks for it, so it goes along where it can.

        Raises:
            Refused: it was made in another way.
        """
        names, program = self._walk.names, self._context.program
        namespace = vars(sys.modules[alias.__module__])
        try:
            source = locate_alias(alias.__name__, sys.modules[alias.__module__])
        except SourceError as error:
            raise Refused(error.verdict, error.cure) from None
        module = names.module(namespace)
        program.make(alias, "c", module, source.portable(), alias.__name__)
        place = Place(alias.__name__, self._context.place.inner, source.file, source.line)
        for node in ast.walk(source.node):
            if isinstance(node, ast.Name) and node.id != alias.__name__:
                self._context.possibly(lambda n=node.id: names.read(namespace, module, Read(n, (), source.line), place))  # type: ignore[misc]  # mypy wants no default here

    def _statement(self, cls: type, source: Source, references: ClassReferences) -> int:
        namespace = self._walk.names.namespace_with(cls) or _namespace_of(cls)
        names, program = self._walk.names, self._context.program
        _require_unchanged(cls, source)
        module = names.module(namespace)
        place = Place(cls.__qualname__, self._context.place.inner, source.file, source.line)
        self._in_progress.add(cls)
        try:
            for base in cls.__bases__:
                if base.__qualname__ == cls.__qualname__ and base.__module__ == cls.__module__:
                    # `class A(A)`: while the statement is executed, the name is that of the older class.
                    program.act("b", module, source.name, self.number(base))
            for read in references.body:
                names.read(namespace, module, read, place.at(read.line))
            for name in references.annotations:
                names.annotation(namespace, module, name)
            self._context.drain()
        finally:
            self._in_progress.discard(cls)
        number = program.number(cls)
        if number is None:
            number = program.make(cls, "c", module, source.portable(), cls.__name__)
            self._reached[cls] = _Reached(cls, place)
            self._current_attributes(cls, number, source, place, namespace)
        self._context.finished(cls)
        return number

    def _current_attributes(
        self, cls: type, number: int, source: Source, place: Place, namespace: dict[str, Any]
    ) -> None:
        """Class attributes that are not what the class statement would make them again are set to what they are now."""
        is_enum = hasattr(cls, "__members__")
        self._context.observed.append((cls, None, len(vars(cls))))
        for name, value in list(vars(cls).items()):
            self._context.observed.append((vars(cls), name, value))
            origin = AttributeOrigin.AGAIN if is_enum else origin_of(cls, name, source=source, namespace=namespace)
            value = without_staticmethod(value)  # noqa: PLW2901 - the handle in it
            if origin is AttributeOrigin.VALUE and type(value) in ATOMS:
                self._set(number, name, value, place)
            elif origin is AttributeOrigin.VALUE:
                self._context.possibly(lambda n=name, v=value: self._set(number, n, v, place))  # type: ignore[misc]  # mypy wants no default here
                self._changed.append((cls, number, name, value))
            elif origin is AttributeOrigin.FUNCTION:
                self._patched.add(value)
                self._context.later(lambda n=name, f=value: self._patch(number, n, f, place))  # type: ignore[misc]  # mypy wants no default here
            elif origin is AttributeOrigin.LOST:
                self._refuse_patched(cls, name, value, place)
        for function in stale_defaults(cls, source=source, namespace=namespace):
            self._context.later(lambda f=function: self._walk.functions.restore_defaults(f, number, place))  # type: ignore[misc]  # mypy wants no default here

    def _set(self, number: int, name: str, value: object, place: Place) -> None:
        reference = self._walk.values.send(value, Kind.CLASS_ATTRIBUTE, f"{place.function}.{name}", place)
        if reference is not None:
            self._context.program.act("x", number, name, reference)
            self._sent.add((number, name))

    def _patch(self, number: int, name: str, function: types.FunctionType, place: Place) -> None:
        reference = self._walk.values.send(function, Kind.CLASS_ATTRIBUTE, f"{place.function}.{name}", place)
        if reference is not None:
            self._context.program.act("x", number, name, reference)

    def _refuse_patched(self, cls: type, name: str, value: object, place: Place) -> None:
        path = f"{cls.__qualname__}.{name}"
        leaf = Leaf(path, type(value).__name__, wording.PATCHED_VERDICT, wording.PATCHED_CURE, CANNOT_BE_SENT)
        self._context.refuse(Kind.CLASS_ATTRIBUTE, path, type(value).__name__, [leaf], place)

    def is_patched(self, function: types.FunctionType) -> bool:
        """Tell whether a function was put into a class that was reached, after its statement."""
        return function in self._patched

    def construct(self, cls: type, place: Place) -> None:
        """A class that code names is taken to be called: what makes its instances is reached."""
        for name in _CONSTRUCTION:
            self.attribute(cls, name, place)
        if issubclass(cls, enum.Enum) and self._context.origins.of(cls.__module__) is Origin.USER:
            for member in list(cls)[:1]:
                # The judge looks at all members when it meets one.
                self._walk.values.judge(member, Kind.CLASS_ATTRIBUTE, cls.__qualname__, place)

    def attribute(self, cls: type, name: str, place: Place) -> None:
        """An attribute of a class, or of its instances, is read by name: its functions are walked, its data must be sendable."""
        base = next((base for base in cls.__mro__ if name in vars(base)), object)
        if (
            base is object
            or (base, name) in self._attributes
            or self._context.origins.of(base.__module__) is not Origin.USER
        ):
            return
        self._attributes.add((base, name))
        raw = vars(base)[name]
        functions = list(functions_in(raw))
        for function in functions:
            self._context.later(lambda function=function: self._walk.functions.judge_method(function, place))  # type: ignore[misc]  # mypy wants no default here
        if not functions and hasattr(type(raw), "__get__"):
            self._descriptor(raw, f"{base.__qualname__}.{name}", place)
        if functions or not _is_data(cls, name, raw):
            return
        if class_declares_per_process(base, name):
            reference = self._walk.values.send_copy(raw, Kind.CLASS_ATTRIBUTE, f"{base.__qualname__}.{name}", place)
            if reference is not None:
                self._context.program.act("x", self.number(base), name, reference)
                self._sent.add((self.number(base), name))
        else:
            self._walk.values.send(raw, Kind.CLASS_ATTRIBUTE, f"{base.__qualname__}.{name}", place)

    def _descriptor(self, descriptor: object, name: str, place: Place) -> None:
        """A descriptor of the user's is made again by the class statement: what it has gathered since must not be lost."""
        if self._context.origins.of(type(descriptor).__module__) is not Origin.USER:
            return
        for field, value in instance_state(descriptor):
            if type(value) not in ATOMS:
                self._walk.values.judge(value, Kind.CLASS_ATTRIBUTE, f"{name}.{field}", place)

    def mention(self, names: Iterable[str], place: Place) -> None:
        """Attributes that are read from something unknown may be those of any class that was reached."""
        for name in names:
            self._mentioned.setdefault(name, place)

    def follow_mentions(self) -> None:
        """Reach the mentioned attributes of all classes, until nothing new turns up."""
        done: set[tuple[type, str]] = set()
        while True:
            pairs = [
                (cls, name) for cls in list(self._reached) for name in _attribute_names(cls) & self._mentioned.keys()
            ]
            pairs = [pair for pair in pairs if pair not in done]
            if not pairs:
                return
            done.update(pairs)
            for cls, name in pairs:
                self.attribute(cls, name, self._mentioned[name])
            self._context.drain()

    def include_the_rest(self) -> None:
        """Methods that no code names may still be called (operators, getattr): what they need goes along where it can."""
        for reached in list(self._reached.values()):
            for name in list(vars(reached.cls)):
                self._context.possibly(lambda n=name, r=reached: self.attribute(r.cls, n, r.place))  # type: ignore[misc]  # mypy wants no default here

    def withhold(self) -> None:
        """Data of a class that is no longer what its statement makes and cannot go along: better missing than stale."""
        for cls, number, name, value in self._changed:
            if (number, name) not in self._sent and type(value) not in ATOMS and _is_data(cls, name, value):
                reason = f"{cls.__qualname__}.{name} ({type(value).__qualname__}) was not sent with the program, because it is not ProcessSend"
                self._context.program.act("z", number, name, reason)
        self._changed.clear()

    def register(self) -> None:
        """Virtual subclasses: what was registered with an abstract class, and what of the user's with one of the image."""
        if not self._reached:
            return
        program, origins = self._context.program, self._context.origins
        for base in [*_ABSTRACT, *self._reached]:
            if not isinstance(base, abc.ABCMeta):
                continue
            own = base in self._reached
            for cls in filter(None, (reference() for reference in _get_dump(base)[0])):
                named = None if cls in self._reached or not own else origins.name_of(cls)
                if cls in self._reached or named is not None:
                    numbers = [self.number(base), self.number(cls)]
                    program.act("r", *numbers)


def _require_unchanged(cls: type, source: Source) -> None:
    """The process executes the whole statement, so all of its methods must be what they are here.

    Raises:
        Refused: the file has changed since it was imported.
    """
    for value in vars(cls).values():
        for function in functions_in(value):
            code = function.__code__
            if is_generated(code):
                continue
            if code.co_filename == source.file and source.line <= code.co_firstlineno <= (source.node.end_lineno or 0):
                try:
                    function_source(function)
                except SourceError as error:
                    raise Refused(error.verdict, error.cure) from None


def _is_data(cls: type, name: str, raw: object) -> bool:
    """Tell whether an entry of a class's namespace is data shared by all instances, and no field, descriptor or atom."""
    if name in _MACHINERY:
        return False
    fields = class_fields(cls)
    if name in fields.assigned or name in fields.slots or name in _declared_fields(cls):
        return False
    # A TypedDict answers isinstance() with an error.
    ancestry = type(raw).__mro__
    return type not in ancestry and cls not in ancestry and not hasattr(type(raw), "__get__") and type(raw) not in ATOMS


def _with_slots(cls: type) -> type | None:
    """`@dataclass(slots=True)` makes a second class; the first one lives on in the methods that were generated for it."""
    found = resolve(sys.modules.get(cls.__module__, types.ModuleType("")), cls.__qualname__)
    fields = vars(cls).get("__dataclass_fields__")
    if (
        isinstance(found, type)
        and found is not cls
        and fields is not None
        and vars(found).get("__dataclass_fields__") is fields
    ):
        return found
    return None


def _declared_fields(cls: type) -> frozenset[str]:
    """The names of dataclass and attrs fields; a dataclass keeps its class variables in the same table."""
    dataclass_fields: dict[str, Any] = getattr(cls, "__dataclass_fields__", {})
    names = {name for name, field in dataclass_fields.items() if field._field_type.name != "_FIELD_CLASSVAR"}  # noqa: SLF001 - there is no public way to ask
    return frozenset(names | {field.name for field in getattr(cls, "__attrs_attrs__", ())})


def _namespace_of(cls: type) -> dict[str, Any]:
    """The globals in which a class statement ran; a doctest's are not those of the module that it names."""
    module = sys.modules.get(cls.__module__)
    if module is not None and resolve(module, cls.__qualname__) is cls:
        return vars(module)
    for value in vars(cls).values():
        for function in functions_in(value):
            if function.__globals__.get("__name__") == cls.__module__:
                return function.__globals__
    return vars(module) if module is not None else {"__name__": cls.__module__}


def _attribute_names(cls: type) -> set[str]:
    return {name for base in cls.__mro__ if base is not object for name in vars(base)}
