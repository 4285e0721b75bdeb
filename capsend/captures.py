"""What a callable captures: everything that it reaches, judged, and written down as the steps that rebuild it.

One walk does both, so that what is judged and what is sent cannot differ. It starts at the callable and follows closure cells, defaults,
receivers, partials, module globals, imports and classes, through every user function that it meets. Work that is only needed when a function
*runs* waits in a queue; what a class statement needs when it is *executed* is finished before its step is written.
"""

from __future__ import annotations

import ast
import collections
import functools
import importlib.util
import inspect
import re
import sys
import types
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import attrs

from capsend import typeforms
from capsend.fields import class_fields
from capsend.guest import codec
from capsend.judge import ATOMS, Judge, TraitName, type_name
from capsend.origins import Origin, Origins, missing_module_cure, resolve
from capsend.program import Program, Reference
from capsend.references import ClassReferences, References, class_references, function_references
from capsend.source import Source, SourceError, locate_class, locate_function
from capsend.traits import PER_PROCESS
from capsend_traits import wording
from capsend_traits.wording import Finding, Kind, Leaf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from capsend.references import Import, Read

_MISSING: Final = object()
_MODULE_NAMES: Final = frozenset(
    {"__name__", "__file__", "__package__", "__spec__", "__doc__", "__builtins__", "__debug__", "__loader__", "__path__", "__annotations__", "__class__"}
)
_CONSTRUCTION: Final = ("__new__", "__init__", "__post_init__", "__attrs_post_init__", "__attrs_pre_init__")
_PER_PROCESS: Final = re.compile(r"^[\"'\s]*(?:\w+\.)*PerProcess\b")
_LRU: Final = type(functools.lru_cache(lambda: None))
NOT_IN_IMAGE: Final = "which is not in the image"
CANNOT_BE_SENT: Final = "which cannot be sent"


class Refused(Exception):
    """Code that cannot go along; holds what its leaf says."""

    def __init__(self, verdict: str, cure: str = "", predicate: str = CANNOT_BE_SENT) -> None:
        super().__init__(verdict)
        self.verdict = verdict
        self.cure = cure
        self.predicate = predicate


class _Unfinished(Exception):
    """A class whose own step is being prepared is needed; whoever needs it waits until it is there."""

    def __init__(self, cls: type) -> None:
        super().__init__(cls)
        self.cls = cls


@attrs.frozen
class Place:
    """Where a name is read: the function, how it was reached, and the line."""

    function: str
    via: tuple[str, ...]
    file: str
    line: int

    def at(self, line: int) -> Place:
        """Return the same function at another line."""
        return attrs.evolve(self, line=line)

    @property
    def inner(self) -> tuple[str, ...]:
        """The way to what this function reaches."""
        return (*self.via, self.function)


@attrs.define
class _ReachedClass:
    cls: type
    number: int
    place: Place


_sources: WeakKeyDictionary[types.CodeType, tuple[Source, References]] = WeakKeyDictionary()
_class_sources: WeakKeyDictionary[type, tuple[Source, ClassReferences]] = WeakKeyDictionary()


def function_source(function: types.FunctionType) -> tuple[Source, References]:
    """Return a function's source and what it refers to; kept per code object.

    Raises:
        SourceError: see `capsend.source`.
    """
    known = _sources.get(function.__code__)
    if known is None:
        source = locate_function(function.__code__, function.__globals__)
        known = _sources[function.__code__] = source, function_references(source)
    return known


def class_source(cls: type) -> tuple[Source, ClassReferences]:
    """Return a class's source and what its statement refers to; kept per class."""
    known = _class_sources.get(cls)
    if known is None:
        source = locate_class(cls)
        known = _class_sources[cls] = source, class_references(source)
    return known


class Walk:
    """One walk over all that a callable captures.

    Args:
        origins: tells what the image has.
        defining: whether names that have no value yet are to be passed over, as at a definition.
        program: the program to add to; a new one by default.

    Attributes:
        findings: what cannot go along, in the order it was met.
        program: the steps that rebuild what was met.
        observed: (namespace, key, value) of everything read, from which a cached program knows that it is still true.
        reusable: whether the same observations always give the same program.
    """

    def __init__(self, *, origins: Origins, defining: bool = False, program: Program | None = None) -> None:
        self.findings: list[Finding] = []
        self.program = program if program is not None else Program()
        self.observed: list[tuple[Any, Any, object]] = []
        self.reusable = True
        self._origins = origins
        self._defining = defining
        self._judge = Judge(self._external)
        self._queue: collections.deque[Callable[[], None]] = collections.deque()
        self._waiting: dict[type, list[Callable[[], None]]] = {}
        self._in_progress: set[type] = set()
        self._reached: dict[type, _ReachedClass] = {}
        self._mentioned: dict[str, Place] = {}
        self._seen_attributes: set[tuple[type, str]] = set()
        self._seen_reads: set[tuple[int, str, tuple[str, ...]]] = set()
        self._walked: set[types.FunctionType] = set()
        self._modules: dict[int, int] = {}
        self._reported: set[tuple[str, str, str, int]] = set()
        self._withheld: dict[tuple[int, str], str] | None = None
        self._place = Place("", (), "", 0)

    # What the callers of this module use.

    def root(self, function: Any) -> Reference | None:  # noqa: ANN401 - any callable
        """Walk over the spawned callable; return the reference to it, or None when it is refused."""
        name = callable_name(function)
        place = self._place_of(function, ())
        reference = self._root(function, place, name)
        self.finish()
        return reference

    def value(self, value: object, kind: Kind, name: str, trait: TraitName, place: Place) -> Reference | None:
        """Judge one value and return the reference to it, or None when it is refused."""
        if not self.judge(value, kind, name, trait, place):
            return None
        try:
            return self.program.value(value)
        except codec.NotEncodable as error:
            leaf = Leaf(path=name + error.path, type=type_name(type(error.value)), verdict=error.reason)
            self._refuse(kind, name, type_name(type(value)), trait, [leaf], place)
            return None

    def judge(self, value: object, kind: Kind, name: str, trait: TraitName, place: Place) -> bool:
        """Judge one value, and everything that it reaches; tell whether it can go along."""
        outer, self._place = self._place, place
        try:
            leaves = self._judge.leaves(value, trait, name)
        finally:
            self._place = outer
        self.reusable &= not self._judge.has_instances
        if leaves:
            self._refuse(kind, name, type_name(type(value)), trait, leaves, place)
        return not leaves

    def finish(self) -> None:
        """Do all the work that waits, then include, where possible, the methods that nothing is known to call."""
        self._drain()
        self._follow_mentions()
        self._include_unmentioned()
        self.reusable &= not self._judge.has_instances

    # The root.

    def _root(self, function: Any, place: Place, name: str) -> Reference | None:  # noqa: ANN401 - any callable
        if isinstance(function, functools.partial):
            return self._partial(function, place, name)
        if isinstance(function, types.MethodType):
            return self._bound_method(function, place)
        if isinstance(function, type | types.ModuleType) or self._is_code(function):
            return self._code_root(function, place, name)
        reference = self.value(function, Kind.CALLABLE, name, "ProcessSend", place)
        self._attribute(type(function), "__call__", place)
        return reference

    def _is_code(self, function: object) -> bool:
        return isinstance(function, types.FunctionType | types.BuiltinFunctionType | types.MethodDescriptorType | types.WrapperDescriptorType | types.MethodWrapperType | types.ClassMethodDescriptorType | _LRU) or hasattr(
            type(function), "__capsend_function__"
        )

    def _code_root(self, function: Any, place: Place, name: str) -> Reference | None:  # noqa: ANN401 - any callable
        receiver = getattr(function, "__self__", None)
        if receiver is not None and not isinstance(receiver, types.ModuleType | type) and self._origins.name_of(function) is None:
            if self.value(receiver, Kind.RECEIVER, f"{type_name(type(receiver))}.{function.__name__}", "ProcessSend", place) is None:
                return None
        outer, self._place = self._place, attrs.evolve(place, function="")
        try:
            leaves = self._external(function, "ProcessSend")
        finally:
            self._place = outer
        if leaves:
            leaves = [attrs_path(leaf, name) for leaf in leaves]
            self._refuse(Kind.FUNCTION, name, type_name(type(function)), "ProcessSend", leaves, place)
            return None
        return self.program.number(function)

    def _partial(self, function: functools.partial[Any], place: Place, name: str) -> Reference | None:
        self._root(function.func, place, name)
        pieces = [(f"args[{index}]", piece) for index, piece in enumerate(function.args)] + list(function.keywords.items())
        before = len(self.findings)
        for piece_name, piece in pieces:
            self.value(piece, Kind.PIECE, piece_name, "ProcessSend", place)
        if len(self.findings) > before or self.findings:
            return None
        return self._encode(function)

    def _bound_method(self, method: types.MethodType, place: Place) -> Reference | None:
        function: Any = method.__func__
        parameters = getattr(getattr(function, "__code__", None), "co_varnames", ("self",))
        receiver = parameters[0] if parameters else "self"
        if isinstance(method.__self__, type):
            self._attribute(method.__self__, function.__name__, place)
        else:
            self._attribute(type(method.__self__), function.__name__, place)
        reference = self.value(method.__self__, Kind.RECEIVER, receiver, "ProcessSend", place)
        if self._code_root(function, place, callable_name(function)) is None or reference is None:
            return None
        return self._encode(method)

    def _encode(self, value: object) -> Reference | None:
        if self.findings:
            return None
        return self.program.value(value)

    # Findings.

    def _refuse(self, kind: Kind, name: str, type_: str, trait: str, leaves: Iterable[Leaf], place: Place) -> None:
        leaves = tuple(leaves)
        if self._withheld is not None:
            return
        key = (kind.value, leaves[0].path, place.function, place.line)
        if key not in self._reported:
            self._reported.add(key)
            self.findings.append(
                Finding(kind, name, type_, trait, leaves, place.function, place.via, place.file, place.line)
            )

    def _place_of(self, function: Any, via: tuple[str, ...]) -> Place:  # noqa: ANN401 - any callable
        while isinstance(function, functools.partial):
            function = function.func
        function = getattr(function, "__capsend_function__", function)
        function = inspect.unwrap(function) if isinstance(function, _LRU) else function
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        if not isinstance(code, types.CodeType):
            return Place(callable_name(function), via, "", 0)
        return Place(callable_name(function), via, code.co_filename, code.co_firstlineno)

    # The queue.

    def _later(self, task: Callable[[], None]) -> None:
        self._queue.append(task)

    def _drain(self) -> None:
        while self._queue:
            task = self._queue.popleft()
            try:
                task()
            except _Unfinished as unfinished:
                self._waiting.setdefault(unfinished.cls, []).append(task)

    # Code that values contain: the judge asks.

    def _external(self, value: Any, trait: TraitName) -> list[Leaf] | None:  # noqa: ANN401 - any object
        if self.program.number(value) is not None:
            return []
        try:
            return self._code(value, trait)
        except Refused as refused:
            name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
            type_ = f"class {name}" if isinstance(value, type) else type_name(type(value))
            return [Leaf(path="", type=type_, verdict=refused.verdict, cure=refused.cure, predicate=refused.predicate)]

    def _code(self, value: Any, trait: TraitName) -> list[Leaf] | None:  # noqa: ANN401 - any object
        if isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.ModuleType):
            self._whole_module(value)
        elif isinstance(value, types.MethodType):
            return self._parts_of_method(value, trait)
        elif isinstance(value, functools.partial):
            return None
        elif (named := self._origins.name_of(value)) is not None:
            self.program.make(value, "n", *named)
        elif hasattr(type(value), "__capsend_function__"):
            self._spawnable(value, trait)
        elif isinstance(value, _LRU):
            self._lru_cache(value)
        elif (form := typeforms.dissect(value)) is not None:
            return self._type_form(value, form, trait)
        elif isinstance(getattr(value, "__self__", None), object) and isinstance(
            value, types.BuiltinFunctionType | types.MethodWrapperType
        ):
            return self._builtin_method(value, trait)
        else:
            return None
        return []

    def _parts_of_method(self, method: types.MethodType, trait: TraitName) -> list[Leaf]:
        leaves = self._judge.leaves(method.__self__, trait, ".__self__")
        return leaves or self._external(method.__func__, trait) or []

    def _builtin_method(self, method: Any, trait: TraitName) -> list[Leaf]:  # noqa: ANN401 - two built-in classes
        leaves = self._judge.leaves(method.__self__, trait, ".__self__")
        if not leaves:
            self.program.make(method, "y", self.program.value(method.__self__), method.__name__)
        return leaves

    def _spawnable(self, value: Any, trait: TraitName) -> None:  # noqa: ANN401 - a Spawnable, which is defined above this module
        function = value.__capsend_function__
        leaves = self._external(function, trait)
        if leaves:
            raise Refused(leaves[0].verdict, leaves[0].cure, leaves[0].predicate)
        self.program.make(value, "p", self.program.value(function))

    def _lru_cache(self, value: Any) -> None:  # noqa: ANN401 - the class has no name
        function = value.__wrapped__
        parameters = value.cache_parameters()
        self._function(function)
        self.program.make(value, "w", self.program.number(function), parameters["maxsize"], parameters["typed"])

    def _type_form(self, value: object, form: typeforms.Form, trait: TraitName) -> list[Leaf]:
        leaves = self._judge.leaves(form.parts, trait, "")
        if not leaves:
            self.program.make(value, "t", form.kind, *form.data, self.program.value(form.parts))
        return leaves

    # Functions.

    def _function(self, function: types.FunctionType) -> int:
        number = self.program.number(function)
        if number is not None:
            return number
        named = self._origins.name_of(function)
        if named is not None:
            return self.program.make(function, "n", *named)
        place = self._place_of(function, self._place.inner if self._place.function else ())
        self._observe_function(function)
        owner = self._owner(function)
        if owner is not None:
            number = self.program.make(function, "a", self._class(owner), function.__qualname__.rpartition(".")[2])
            self._attribute(owner, function.__qualname__.rpartition(".")[2], place)
            return number
        return self._new_function(function, place)

    def _new_function(self, function: types.FunctionType, place: Place) -> int:
        module_name = function.__globals__.get("__name__", "__main__")
        origin = self._origins.of(module_name, function.__globals__.get("__file__"))
        if origin is Origin.MISSING:
            raise Refused(f"its module {module_name} is not in the image", missing_module_cure(module_name))
        if origin is Origin.IMAGE:
            number = self.program.make(function, "g", module_name, function.__code__.co_qualname)
            self._later(lambda: self._fill(function, number, place, {}))
            return number
        try:
            source, references = function_source(function)
        except SourceError as error:
            raise Refused(str(error)) from None
        module = self._module(function.__globals__)
        number = self.program.make(function, "f", module, source.portable(), function.__qualname__)
        lines = {read.name: read.line for read in reversed(references.free)}
        self._later(lambda: self._fill(function, number, place, lines))
        self._later(lambda: self._read_all(function, references, place))
        return number

    def _owner(self, function: types.FunctionType) -> type | None:
        """Find the class in whose namespace a function stands under its own name."""
        prefix, _, _ = function.__qualname__.rpartition(".")
        module = sys.modules.get(function.__module__)
        if not prefix or prefix.endswith("<locals>") or module is None or resolve(module, function.__qualname__) is not function:
            return None
        owner = resolve(module, prefix)
        return owner if isinstance(owner, type) else None

    def _observe_function(self, function: types.FunctionType) -> None:
        self.observed.append((function, "__code__", function.__code__))
        self.observed.append((function, "__defaults__", function.__defaults__))
        if function.__kwdefaults__:
            self.observed += [(function.__kwdefaults__, key, value) for key, value in function.__kwdefaults__.items()]

    def _fill(self, function: types.FunctionType, number: int, place: Place, lines: dict[str, int]) -> None:
        """Judge what a function holds, and write the step that gives it to the rebuilt one."""
        defaults, kwdefaults = self._defaults(function, place)
        cells: dict[str, Reference] = {}
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            reference = self._cell(name, cell, place.at(lines.get(name, place.line)), function)
            if reference is not None:
                cells[name] = reference
        self.program.act("s", number, defaults, kwdefaults, cells, self._attached(function))

    def _cell(self, name: str, cell: types.CellType, place: Place, function: types.FunctionType) -> Reference | None:
        try:
            value = cell.cell_contents
        except ValueError:
            if not self._defining:
                leaf = Leaf(name, "not assigned", wording.EMPTY_CELL_VERDICT, wording.EMPTY_CELL_CURE, "so there is nothing to send")
                self._refuse(Kind.CAPTURED, name, "not assigned", "ProcessSend", [leaf], place)
            return None
        self.observed.append((cell, "cell_contents", value))
        before = len(self.findings)
        reference = self.value(value, Kind.CAPTURED, name, "ProcessSend", place)
        if len(self.findings) > before:
            self._suggest_fields(name, value, function)
        if reference is not None:
            self._chains(value, (r for r in function_reads(function) if r.name == name), place)
        return reference

    def _suggest_fields(self, name: str, value: object, function: types.FunctionType) -> None:
        """Where only sendable fields of a bad instance are used, the cure is to bind them first."""
        reads = [read for read in function_reads(function) if read.name == name]
        fields = list(dict.fromkeys(read.chain[0] for read in reads if read.chain))
        if not fields or not all(read.chain for read in reads) or isinstance(value, type | types.ModuleType):
            return
        namespace = getattr(value, "__dict__", {})
        if all(field in namespace and type(namespace[field]) in ATOMS for field in fields):
            finding = self.findings[-1]
            leaves = (*finding.leaves[:0], attrs_cure(finding.leaves[0], wording.self_cure(name, fields)), *finding.leaves[1:])
            self.findings[-1] = Finding(
                finding.kind, finding.variable, finding.type, finding.trait, leaves, finding.function, finding.via, finding.file, finding.line
            )

    def _defaults(self, function: types.FunctionType, place: Place) -> tuple[Reference | None, Reference | None]:
        code = function.__code__
        positional = code.co_varnames[: code.co_argcount]
        defaults = function.__defaults__ or ()
        pairs = list(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
        pairs += list((function.__kwdefaults__ or {}).items())
        good = [self.value(value, Kind.DEFAULT, name, "ProcessSend", place) is not None for name, value in pairs]
        if not all(good):
            return None, None
        return (
            self.program.value(defaults) if defaults else None,
            self.program.value(function.__kwdefaults__) if function.__kwdefaults__ else None,
        )

    def _attached(self, function: types.FunctionType) -> dict[str, Reference]:
        """Attributes that were set on a function go along where they can; a read of one that cannot is refused where it is read."""
        attached = {}
        for name, value in vars(function).items():
            if name != "__wrapped__" and type(value) in ATOMS:
                attached[name] = self.program.value(value)
        return attached

    # Names.

    def _read_all(self, function: types.FunctionType, references: References, place: Place) -> None:
        for write in references.writes:
            leaf = Leaf(write.name, write.keyword, wording.WRITTEN_VERDICT, wording.WRITTEN_CURE)
            self._refuse(Kind.WRITTEN, write.name, write.keyword, "ProcessSend", [leaf], place.at(write.line))
        for statement in references.imports:
            self._import(statement, function.__globals__, place.at(statement.line))
        module = self._module(function.__globals__)
        written = {write.name for write in references.writes}
        for read in references.globals:
            if read.name not in written:
                self._global(function.__globals__, module, read, place.at(read.line))
        for name in [*references.attributes, *(part for read in references.receiver for part in read.chain)]:
            self._mentioned.setdefault(name, place)

    def _global(self, namespace: dict[str, Any], module: int, read: Read, place: Place) -> None:
        key = (id(namespace), read.name, read.chain)
        if read.name in _MODULE_NAMES or (key in self._seen_reads and self._withheld is None):
            return
        value = namespace.get(read.name, _MISSING)
        if value is _MISSING:
            # A built-in, or a name that does not exist: then the process fails as the host would.
            return
        self.observed.append((namespace, read.name, value))
        if isinstance(value, types.ModuleType):
            self._module_global(namespace, module, read, value, place)
        elif not self.program.is_bound(module, read.name):
            trait: TraitName = "Serializable" if _is_per_process(namespace, read.name) else "ProcessSend"
            self.reusable &= trait == "ProcessSend"
            reference = self.value(value, Kind.GLOBAL, read.name, trait, place)
            if reference is None:
                self._withhold(module, read.name, value)
                return
            self.program.bind(module, read.name, reference)
        self._seen_reads.add(key)
        self._chains(value, [read], place)

    def _module_global(
        self, namespace: dict[str, Any], module: int, read: Read, value: types.ModuleType, place: Place
    ) -> None:
        if read.chain and self._origins.of(value.__name__, getattr(value, "__file__", None)) is Origin.USER:
            self.program.bind(module, read.name, self._module(vars(value)))
            return
        reference = self.value(value, Kind.GLOBAL, read.name, "ProcessSend", place)
        if reference is None:
            self._withhold(module, read.name, value)
        else:
            self.program.bind(module, read.name, reference)
        del namespace

    def _chains(self, value: Any, reads: Iterable[Read], place: Place) -> None:  # noqa: ANN401 - any value
        """Follow the attributes that are read from a value whose identity is known."""
        for read in reads:
            if isinstance(value, types.ModuleType):
                self._module_chain(value, read, place)
                continue
            owner = value if isinstance(value, type) else type(value)
            if isinstance(value, type):
                for name in _CONSTRUCTION:
                    self._attribute(value, name, place)
            if read.chain:
                if isinstance(value, types.FunctionType):
                    self._function_attribute(value, read.chain[0], place)
                else:
                    self._attribute(owner, read.chain[0], place)
                for name in read.chain[1:]:
                    self._mentioned.setdefault(name, place)

    def _module_chain(self, value: types.ModuleType, read: Read, place: Place) -> None:
        if not read.chain or self._origins.of(value.__name__, getattr(value, "__file__", None)) is not Origin.USER:
            return
        inner = attrs.evolve(read, name=read.chain[0], chain=read.chain[1:])
        self._global(vars(value), self._module(vars(value)), inner, place)

    def _function_attribute(self, function: types.FunctionType, name: str, place: Place) -> None:
        value = vars(function).get(name, _MISSING)
        if value is not _MISSING and type(value) not in ATOMS:
            self.value(value, Kind.ATTACHED, f"{function.__name__}.{name}", "ProcessSend", place)

    def _withhold(self, module: int, name: str, value: object) -> None:
        if self._withheld is not None and (module, name) not in self._withheld:
            reason = f"{name} ({type_name(type(value))}) was not sent with the program, because it is not ProcessSend"
            self._withheld[module, name] = reason
            self.program.act("u", module, name, reason)

    # Modules.

    def _module(self, namespace: dict[str, Any]) -> int:
        """Return the entity of a user's module, by its namespace."""
        known = self._modules.get(id(namespace))
        if known is not None:
            return known
        name = namespace.get("__name__", "__main__")
        parent = sys.modules.get(name.rpartition(".")[0])
        if parent is not None and parent.__dict__ is not namespace and self._origins.of(parent.__name__) is Origin.USER:
            self._module(vars(parent))
        module = sys.modules.get(name)
        thing = module if module is not None and vars(module) is namespace else namespace
        number = self.program.number(thing)
        if number is None:
            step = (name, namespace.get("__file__"), namespace.get("__package__"), "__path__" in namespace)
            number = self.program.make(thing, "m", *step)
        self._modules[id(namespace)] = number
        return number

    def _whole_module(self, module: types.ModuleType) -> None:
        """A module that is used as a value: the image's goes by name, of the user's all that can go along."""
        origin = self._origins.of(module.__name__, getattr(module, "__file__", None))
        if origin is Origin.MISSING:
            raise Refused(f"the image has no module {module.__name__}", missing_module_cure(module.__name__), NOT_IN_IMAGE)
        if origin is Origin.IMAGE:
            self.program.make(module, "i", module.__name__)
            return
        number = self._module(vars(module))
        names = [name for name in vars(module) if not name.startswith("__")]
        self._later(lambda: self._include(lambda: [self._global(vars(module), number, _plain(name), self._place) for name in names]))

    def _import(self, statement: Import, namespace: dict[str, Any], place: Place) -> None:
        name = statement.module
        if statement.level:
            try:
                name = importlib.util.resolve_name("." * statement.level + name, namespace.get("__package__") or "")
            except ImportError:
                return
        if self._origins.of(name) is Origin.IMAGE:
            return
        module = self._imported(name) if self._origins.of(name) is Origin.USER else None
        if module is None:
            if not statement.guarded:
                cure = missing_module_cure(name)
                leaf = Leaf(name, "module", f"the image has no module {name}", cure, NOT_IN_IMAGE)
                self._refuse(Kind.IMPORT, name, "module", "ProcessSend", [leaf], place)
            return
        number = self._module(vars(module))
        for attribute in statement.names:
            submodule = sys.modules.get(f"{name}.{attribute}")
            if submodule is not None and statement.is_from:
                self._whole_module(submodule)
            self._global(vars(module), number, _plain(attribute), place)

    def _imported(self, name: str) -> types.ModuleType | None:
        """A function that imports a module of the user's when it runs: it is imported here now, to be judged."""
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001 - whatever a user's module raises, the process would meet it as well
                return None
        module = sys.modules.get(name)
        usable = module is not None and self._origins.of(name, getattr(module, "__file__", None)) is Origin.USER
        return module if usable else None

    # Classes.

    def _class(self, cls: type) -> int:
        """Return the entity of a class, after all that its statement needs."""
        number = self.program.number(cls)
        if number is not None:
            return number
        if cls in self._in_progress:
            raise _Unfinished(cls)
        named = self._origins.name_of(cls)
        if named is not None:
            return self.program.make(cls, "n", *named)
        if "<locals>" in cls.__qualname__:
            raise Refused(wording.LOCAL_CLASS_VERDICT, wording.LOCAL_CLASS_CURE)
        if self._origins.of(cls.__module__) is Origin.MISSING:
            raise Refused(f"its module {cls.__module__} is not in the image", missing_module_cure(cls.__module__))
        return self._user_class(cls)

    def _user_class(self, cls: type) -> int:
        outer_name, _, name = cls.__qualname__.rpartition(".")
        module = sys.modules.get(cls.__module__)
        outer = resolve(module, outer_name) if outer_name and module is not None else None
        if isinstance(outer, type):
            number = self.program.make(cls, "a", self._class(outer), name)
            self._reached[cls] = _ReachedClass(cls, number, self._place)
            return number
        form = typeforms.dissect_class(cls)
        try:
            source, references = class_source(cls)
        except SourceError as error:
            if form is not None:
                leaves = self._type_form(cls, form, "Serializable")
                number = self.program.number(cls)
                if number is not None and not leaves:
                    return number
            raise Refused(str(error)) from None
        return self._class_statement(cls, source, references)

    def _class_statement(self, cls: type, source: Source, references: ClassReferences) -> int:
        namespace = _namespace_of(cls)
        module = self._module(namespace)
        place = Place(cls.__qualname__, self._place.inner if self._place.function else (), source.file, source.line)
        self._in_progress.add(cls)
        try:
            for read in references.body:
                self._global(namespace, module, read, place.at(read.line))
            for name in references.annotations:
                self._annotation(namespace, module, name)
            self._drain()
        finally:
            self._in_progress.discard(cls)
        number = self.program.number(cls)
        if number is None:
            number = self.program.make(cls, "c", module, source.portable(), cls.__name__)
            self._reached[cls] = _ReachedClass(cls, number, place)
            self._overrides(cls, number, source, place)
        self._queue.extend(self._waiting.pop(cls, ()))
        return number

    def _annotation(self, namespace: dict[str, Any], module: int, name: str) -> None:
        """What annotations name is only looked at by tools such as dataclasses: names of the image are enough."""
        value = namespace.get(name, _MISSING)
        if value is _MISSING or self.program.is_bound(module, name):
            return
        if isinstance(value, types.ModuleType):
            if self._origins.of(value.__name__, getattr(value, "__file__", None)) is Origin.IMAGE:
                self._whole_module(value) if self.program.number(value) is None else None
                self.program.bind(module, name, self.program.value(value))
        elif (named := self._origins.name_of(value)) is not None:
            number = self.program.number(value)
            self.program.bind(module, name, self.program.make(value, "n", *named) if number is None else number)

    def _overrides(self, cls: type, number: int, source: Source, place: Place) -> None:
        """Class attributes that are not what the class statement would make them again are set to what they are now."""
        if isinstance(cls, type) and hasattr(cls, "__members__"):
            return
        written = _literals(source)
        for name, value in list(vars(cls).items()):
            self.observed.append((vars(cls), name, value))
            if name.startswith("__") or name.startswith("_abc_"):
                continue
            if isinstance(value, types.FunctionType):
                if not _stands_in(value, source) and self._is_own_patch(cls, value):
                    self._later(lambda name=name, value=value: self.program.act("x", number, name, self._function(value)))  # type: ignore[misc]  # a lambda with defaults
            elif type(value) in ATOMS and not (name in written and _equal(written[name], value)):
                self._set(number, name, value, place)
            elif isinstance(value, tuple | frozenset) and name not in written:
                self._include(lambda name=name, value=value: self._set(number, name, value, place))  # type: ignore[misc]  # a lambda with defaults

    def _set(self, number: int, name: str, value: object, place: Place) -> None:
        reference = self.value(value, Kind.CLASS_ATTRIBUTE, name, "ProcessSend", place)
        if reference is not None:
            self.program.act("x", number, name, reference)

    def _is_own_patch(self, cls: type, function: types.FunctionType) -> bool:
        """A plain function of the user's that was assigned to the class; generated methods and decorators' results come by themselves."""
        return function.__qualname__ != f"{cls.__qualname__}.{function.__name__}" and not function.__code__.co_filename.startswith("<")

    def _attribute(self, cls: type, name: str, place: Place) -> None:
        """A class's attribute is reached by name: its functions are walked, its data must be sendable."""
        for base in cls.__mro__:
            if name in vars(base):
                break
        else:
            return
        if base is object or (base, name) in self._seen_attributes or self._origins.of(base.__module__) is not Origin.USER:
            return
        self._seen_attributes.add((base, name))
        raw = vars(base)[name]
        functions = list(_functions_in(raw))
        for function in functions:
            self._later(lambda function=function: self._method(function, base, place))  # type: ignore[misc]  # a lambda with defaults
        if functions or isinstance(raw, type):
            return
        is_field = name in class_fields(cls).mutable or name in class_fields(cls).slots or name in _field_names(cls)
        if not is_field and not hasattr(type(raw), "__get__") and "<locals>" not in base.__qualname__ and type(raw) not in ATOMS:
            if not isinstance(raw, cls):
                self.value(raw, Kind.CLASS_ATTRIBUTE, f"{base.__qualname__}.{name}", "ProcessSend", place)

    def _method(self, function: types.FunctionType, owner: type, place: Place) -> None:
        """Judge a method that its class statement makes again: what it holds must be as sendable as what it reads."""
        if function in self._walked:
            return
        self._walked.add(function)
        self._observe_function(function)
        here = self._place_of(function, place.inner if place.function and place.function != callable_name(function) else place.via)
        if function.__code__.co_filename.startswith("<") and self._origins.of(owner.__module__) is Origin.USER and "attrs generated" in function.__code__.co_filename:
            return
        self._defaults(function, here)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name != "__class__":
                self._cell(name, cell, here, function)
        if self._origins.of(function.__globals__.get("__name__", ""), function.__globals__.get("__file__")) is not Origin.USER:
            return
        try:
            _, references = function_source(function)
        except SourceError:
            return  # made by a decorator such as dataclass, which makes it again
        self._read_all(function, references, here)

    def _follow_mentions(self) -> None:
        """An attribute that is read from something unknown may be that of any class that was reached."""
        done: set[tuple[type, str]] = set()
        while True:
            todo = [(r, name) for r in list(self._reached.values()) for name in self._mentioned if (r.cls, name) not in done]
            todo = [(r, name) for r, name in todo if name in _namespace_names(r.cls)]
            if not todo:
                return
            for reached, name in todo:
                done.add((reached.cls, name))
                self._attribute(reached.cls, name, self._mentioned[name])
            self._drain()

    def _include_unmentioned(self) -> None:
        """Methods that no code names may still be called (operators, getattr): what they need goes along where it can."""
        for reached in list(self._reached.values()):
            for name in list(vars(reached.cls)):
                self._include(lambda name=name, reached=reached: self._attribute(reached.cls, name, reached.place))  # type: ignore[misc]  # a lambda with defaults

    def _include(self, task: Callable[[], object]) -> None:
        """Do a task whose refusals are not the user's concern yet: what cannot go along stays out."""
        outer = self._withheld
        self._withheld = {} if outer is None else outer
        try:
            task()
            self._drain()
        except Refused:
            pass
        finally:
            self._withheld = outer


def attrs_path(leaf: Leaf, name: str) -> Leaf:
    """Return a leaf whose relative path begins at a name."""
    return Leaf(name + leaf.path, leaf.type, leaf.verdict, leaf.cure, leaf.predicate, leaf.steps)


def attrs_cure(leaf: Leaf, cure: str) -> Leaf:
    """Return a leaf with another cure."""
    return Leaf(leaf.path, leaf.type, leaf.verdict, cure, leaf.predicate, leaf.steps)


def callable_name(function: Any) -> str:  # noqa: ANN401 - any callable
    """Name a callable in messages: its qualified name without what encloses it."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None) or type(function).__qualname__
    return str(name).rpartition("<locals>.")[2]


def function_reads(function: types.FunctionType) -> tuple[Read, ...]:
    """Return a function's reads of its free variables; none where its source is not to be had."""
    try:
        return function_source(function)[1].free
    except SourceError:
        return ()


def _plain(name: str) -> Read:
    from capsend.references import Read

    return Read(name, (), 0)


def _is_per_process(namespace: dict[str, Any], name: str) -> bool:
    annotation = namespace.get("__annotations__", {}).get(name)
    if annotation is None and sys.version_info >= (3, 14):
        import annotationlib

        annotate = namespace.get("__annotate__")
        if annotate is not None:
            annotation = annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF).get(name)
    if isinstance(annotation, str):
        return bool(_PER_PROCESS.match(annotation))
    return PER_PROCESS in getattr(annotation, "__metadata__", ())


def _namespace_of(cls: type) -> dict[str, Any]:
    module = sys.modules.get(cls.__module__)
    if module is not None and resolve(module, cls.__qualname__) is cls:
        return vars(module)
    for value in vars(cls).values():
        for function in _functions_in(value):
            if function.__module__ == cls.__module__:
                return function.__globals__
    return vars(module) if module is not None else {"__name__": cls.__module__}


def _functions_in(raw: Any) -> Iterator[types.FunctionType]:  # noqa: ANN401 - anything in a class's namespace
    """Yield the functions that an entry of a class's namespace stands for."""
    if isinstance(raw, types.FunctionType):
        yield raw
    elif isinstance(raw, staticmethod | classmethod):
        yield from _functions_in(raw.__func__)
    elif isinstance(raw, property):
        for part in (raw.fget, raw.fset, raw.fdel):
            yield from _functions_in(part)
    elif isinstance(raw, functools.cached_property):
        yield from _functions_in(raw.func)
    elif isinstance(raw, functools.partialmethod):
        yield from _functions_in(raw.func)
    elif isinstance(raw, _LRU):
        yield from _functions_in(raw.__wrapped__)
    elif hasattr(type(raw), "__capsend_function__"):
        yield from _functions_in(raw.__capsend_function__)


def _field_names(cls: type) -> frozenset[str]:
    names = {name for base in cls.__mro__ for name in getattr(base, "__dataclass_fields__", ())}
    names |= {a.name for a in getattr(cls, "__attrs_attrs__", ())}
    return frozenset(name for name in names if not _is_class_variable(cls, name))


def _is_class_variable(cls: type, name: str) -> bool:
    field = getattr(cls, "__dataclass_fields__", {}).get(name)
    return field is not None and getattr(field, "_field_type", None) is not None and field._field_type.name == "_FIELD_CLASSVAR"  # noqa: SLF001 - dataclasses has no public way to ask


def _namespace_names(cls: type) -> set[str]:
    return {name for base in cls.__mro__ if base is not object for name in vars(base)}


def _literals(source: Source) -> dict[str, object]:
    """Return {name: value} of what a class body assigns as a plain literal."""
    found = {}
    assert isinstance(source.node, ast.ClassDef)
    for statement in source.node.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target] if isinstance(statement, ast.AnnAssign) else []
        for target in targets:
            if isinstance(target, ast.Name) and getattr(statement, "value", None) is not None:
                try:
                    found[target.id] = ast.literal_eval(statement.value)  # type: ignore[union-attr]  # both statements have a value here
                except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                    found[target.id] = _MISSING
    return found


def _equal(literal: object, value: object) -> bool:
    return type(literal) is type(value) and repr(literal) == repr(value)


def _stands_in(function: types.FunctionType, source: Source) -> bool:
    code = function.__code__
    return code.co_filename == source.file and source.line <= code.co_firstlineno <= (source.node.end_lineno or 0)
