"""The functions of a walk: their entities, what they hold (cells, defaults), and what they read when they run."""

from __future__ import annotations

import dataclasses
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from capsend_traits import wording
from capsend_traits.wording import Kind, Leaf

from capsend.annotations import classes_in, mailbox_names, message_type
from capsend.captures.context import CANNOT_BE_SENT, Place, Refused, callable_name, place_of
from capsend.captures.sources import function_reads, function_source
from capsend.origins import Origin, missing_module_cure, resolve
from capsend.parts import ATOMS
from capsend.references import Read
from capsend.source import SourceError, is_generated

if TYPE_CHECKING:
    from capsend.captures import Walk
    from capsend.program import Reference
    from capsend.references import References

_UNASSIGNED: Final = "not assigned"


class Functions:
    """Reaches functions."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._judged: set[types.FunctionType] = set()

    def number(self, function: types.FunctionType) -> int:
        """Return the entity of a function; what it needs when it runs is put off.

        Raises:
            Refused: it has no source, or its module is neither the user's nor in the image.
        """
        program = self._context.program
        number = program.number(function)
        if number is not None:
            return number
        named = self._context.origins.name_of(function)
        if named is not None:
            return program.make(function, "n", *named)
        place = place_of(function, self._context.place.inner)
        self._observe(function)
        owner = _owner(function)
        if owner is None:
            return self._make(function, place)
        cls = self._walk.classes.number(owner)
        if self._walk.classes.is_patched(function):
            return self._make(function, place)
        name = function.__qualname__.rpartition(".")[2]
        number = program.make(function, "a", cls, name)
        self._walk.classes.attribute(owner, name, self._context.place)
        return number

    def judge_method(self, function: types.FunctionType, place: Place) -> None:
        """Judge a method that its class statement makes again: what it holds must be as sendable as what it reads."""
        if function in self._judged:
            return
        self._judged.add(function)
        self._observe(function)
        if is_generated(function.__code__) or function.__globals__.get("__name__") == "typing":
            return  # dataclass, attrs or NamedTuple makes it again
        name = callable_name(function)
        here = place_of(function, place.via if place.function == name else place.inner)
        self._defaults(function, here)
        for free, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if free != "__class__":
                self._cell(free, cell, here, function)
        if self._origin(function) is Origin.USER:
            try:
                _, references = function_source(function)
            except SourceError as error:
                leaf = Leaf(name, "function", error.verdict, error.cure, CANNOT_BE_SENT)
                self._context.refuse(Kind.FUNCTION, name, "function", [leaf], here)
                return
            self._read(function, references, here)

    def restore_defaults(self, function: types.FunctionType, cls: int, place: Place) -> None:
        """A default that was computed from globals keeps the value that it got then, whatever the globals are now."""

        def restore() -> None:
            defaults, kwdefaults = self._defaults(function, place)
            program = self._context.program
            if defaults is not None or kwdefaults is not None:
                made = program.make(function, "a", cls, function.__name__)
                program.act("s", made, defaults, kwdefaults, {}, {})
            else:
                name = callable_name(function)
                program.act(
                    "z",
                    cls,
                    function.__name__,
                    f"{name} was not sent with the program, because a default of it is not ProcessSend",
                )

        if self._context.program.number(function) is None:
            self._context.possibly(restore)

    def _origin(self, function: types.FunctionType) -> Origin:
        return self._context.origins.of(
            function.__globals__.get("__name__", "__main__"), function.__globals__.get("__file__")
        )

    def _make(self, function: types.FunctionType, place: Place) -> int:
        program, context = self._context.program, self._context
        module_name = function.__globals__.get("__name__", "__main__")
        origin = self._origin(function)
        if origin is Origin.MISSING:
            raise Refused(f"the image has no module {module_name}", missing_module_cure(module_name))
        if origin is Origin.IMAGE:
            # The image's own code of that name: it may differ from the host's where their Python versions do.
            number = program.make(function, "g", module_name, function.__code__.co_qualname)
            context.later(lambda: self._fill(function, number, place, {}))
            return number
        try:
            source, references = function_source(function)
        except SourceError as error:
            raise Refused(error.verdict, error.cure) from None
        module = self._walk.names.module(function.__globals__)
        number = program.make(function, "f", module, source.portable(), function.__qualname__)
        lines = {read.name: read.line for read in reversed(references.free)}
        context.later(lambda: self._fill(function, number, place, lines))
        context.later(lambda: self._read(function, references, place))
        if "Mailbox" in source.text:
            # With unevaluated annotations nothing else names what a function that is defined in there receives.
            for name in dict.fromkeys(mailbox_names(source.node)):
                read = Read(name, (), source.line)
                context.possibly(lambda r=read: self._walk.names.read(function.__globals__, module, r, place))  # type: ignore[misc]  # mypy wants no default here
        messages = message_type(function)
        if messages is not None:
            context.possibly(lambda: self._mailbox(function, number, messages[0], place))
        return number

    def _mailbox(self, function: types.FunctionType, number: int, messages: Any, place: Place) -> None:
        """Tell the process what the mailbox of a function takes, as it may spawn the function in turn."""
        values = self._walk.values
        for cls in classes_in(messages):
            if values.judge(cls, Kind.CAPTURED, cls.__qualname__, place, trait="Serializable"):
                self._walk.classes.construct(cls, place)
        reference = None
        if messages is not None:
            reference = values.send(messages, Kind.CAPTURED, callable_name(function), place, trait="Serializable")
        self._context.program.act("q", number, function.__code__.co_varnames[0], reference)

    def _observe(self, function: types.FunctionType) -> None:
        observed = self._context.observed
        observed.append((function, "__code__", function.__code__))
        observed.append((function, "__defaults__", function.__defaults__))
        observed += [(function.__kwdefaults__, key, value) for key, value in (function.__kwdefaults__ or {}).items()]
        observed += [(function.__dict__, key, value) for key, value in vars(function).items()]

    def _fill(self, function: types.FunctionType, number: int, place: Place, lines: dict[str, int]) -> None:
        """Judge what a function holds, and write the step that gives it to the rebuilt one."""
        defaults, kwdefaults = self._defaults(function, place)
        cells: dict[str, Reference] = {}
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            reference = self._cell(name, cell, place.at(lines.get(name, place.line)), function)
            if reference is not None:
                cells[name] = reference
        attached = {name: value for name, value in vars(function).items() if type(value) in ATOMS}
        if "__wrapped__" in vars(function):
            # functools.wraps gave it the names of what it wraps.
            attached |= {name: getattr(function, name) for name in ("__name__", "__module__", "__doc__")}
        if defaults is not None or kwdefaults is not None or cells or attached:
            values = {name: self._context.program.value(value) for name, value in attached.items()}
            self._context.program.act("s", number, defaults, kwdefaults, cells, values)

    def _cell(self, name: str, cell: types.CellType, place: Place, function: types.FunctionType) -> Reference | None:
        try:
            value = cell.cell_contents
        except ValueError:
            if not self._context.defining:
                leaf = Leaf(
                    name,
                    _UNASSIGNED,
                    wording.EMPTY_CELL_VERDICT,
                    wording.EMPTY_CELL_CURE,
                    "so there is nothing to send",
                )
                self._context.refuse(Kind.CAPTURED, name, _UNASSIGNED, [leaf], place)
            return None
        self._context.observed.append((cell, "cell_contents", value))
        before = len(self._context.findings)
        reference = self._walk.values.send(value, Kind.CAPTURED, name, place)
        if len(self._context.findings) > before:
            self._suggest_fields(name, value, function)
        if reference is not None:
            self._walk.names.follow(value, [read for read in function_reads(function) if read.name == name], place)
        return reference

    def _suggest_fields(self, name: str, value: object, function: types.FunctionType) -> None:
        """Where only sendable fields of a bad instance are used, the cure is to bind them first."""
        reads = [read for read in function_reads(function) if read.name == name]
        fields = list(dict.fromkeys(read.chain[0] for read in reads if read.chain))
        namespace = getattr(value, "__dict__", {})
        if not fields or not all(read.chain for read in reads) or isinstance(value, type | types.ModuleType):
            return
        if all(field in namespace and type(namespace[field]) in ATOMS for field in fields):
            finding = self._context.findings[-1]
            first = dataclasses.replace(finding.leaves[0], cure=wording.self_cure(name, fields))
            self._context.findings[-1] = dataclasses.replace(finding, leaves=(first, *finding.leaves[1:]))

    def _defaults(self, function: types.FunctionType, place: Place) -> tuple[Reference | None, Reference | None]:
        code, keyword = function.__code__, function.__kwdefaults__
        positional = code.co_varnames[: code.co_argcount]
        defaults = function.__defaults__ or ()
        pairs = [*zip(positional[len(positional) - len(defaults) :], defaults, strict=True), *(keyword or {}).items()]
        good = [self._walk.values.send(value, Kind.DEFAULT, name, place) is not None for name, value in pairs]
        if not all(good):
            return None, None
        program = self._context.program
        return program.value(defaults) if defaults else None, program.value(keyword) if keyword else None

    def _read(self, function: types.FunctionType, references: References, place: Place) -> None:
        """Judge all that a function reads and writes by name when it runs."""
        names, context = self._walk.names, self._context
        for write in references.writes:
            leaf = Leaf(write.name, write.keyword, wording.WRITTEN_VERDICT, wording.WRITTEN_CURE)
            context.refuse(Kind.WRITTEN, write.name, write.keyword, [leaf], place.at(write.line))
        for statement in references.imports:
            names.statement(statement, function.__globals__, place.at(statement.line))
        module = names.module(function.__globals__)
        written = {write.name for write in references.writes}
        for read in references.globals:
            if read.name not in written:
                names.read(function.__globals__, module, read, place.at(read.line))
        mentioned = [*references.attributes, *(name for read in references.receiver for name in read.chain)]
        self._walk.classes.mention(mentioned, place)


def _owner(function: types.FunctionType) -> type | None:
    """Find the class in whose namespace a function stands under its own name."""
    prefix, _, _ = function.__qualname__.rpartition(".")
    module = sys.modules.get(function.__module__)
    if (
        not prefix
        or prefix.endswith("<locals>")
        or module is None
        or resolve(module, function.__qualname__) is not function
    ):
        return None
    owner = resolve(module, prefix)
    return owner if isinstance(owner, type) else None
