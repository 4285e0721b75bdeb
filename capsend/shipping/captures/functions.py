"""The functions of a walk: their entities, their parts (defaults, cells, attributes), and the names that their code reads."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import sys
import types
import typing
from typing import TYPE_CHECKING, Any, Final, cast

from capsend_traits import wording
from capsend_traits.wording import Kind, Leaf

from capsend.codec.instances import is_a
from capsend.shipping.captures.annotations import INTROSPECTION
from capsend.shipping.captures.context import Place, Refused, callable_name, place_of
from capsend.shipping.captures.message_types import classes_in, mailbox_names, message_type
from capsend.shipping.captures.missing import missing_cure
from capsend.shipping.captures.origins import Origin, resolve
from capsend.shipping.captures.source_cache import function_reads, function_source
from capsend.shipping.captures.writes import changed_names, lost_writes
from capsend.shipping.varying import Spot, shape_of
from capsend.source.importable import importable, missing
from capsend.source.locate import SourceError, is_generated
from capsend.source.modules import code_in, loaded
from capsend.source.references import Read
from capsend.traits.parts import ATOMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.shipping.captures.protocols import Walk
    from capsend.shipping.entities import Entity, Reference
    from capsend.source.locate import Source
    from capsend.source.references import Write
    from capsend.traits.judge import TraitName

_UNASSIGNED: Final = "not assigned"
_OWN_NAMES: Final = ("__name__", "__qualname__", "__module__", "__doc__")
_MACHINERY: Final = frozenset({"__annotate__", "__type_params__"})


class Functions:
    """Reaches functions."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._judged: set[tuple[types.FunctionType, bool]] = set()  # the bool: whether it was judged strictly
        self.imports_by_name: bool = False

    def entity(self, function: types.FunctionType) -> Entity:
        """Return the entity of a function; its parts and the names that its code reads are put off.

        Raises:
            Refused: the function has no source, or its module is neither the user's nor in the image.
        """
        program = self._context.program
        entity = program.entity(function)
        if entity is None:
            named = self._context.origins.name_of(function)
            entity = program.make(function, "n", *named) if named is not None else self._make(function)
        if entity.kind in {"f", "g"} and entity.number is None:
            self._judge_later(function, entity)
        return entity

    def tell_importable(self) -> None:
        """Send the host's importable names to a process that imports by computed names.

        Importing any other name raises `ImportError` on both sides.
        """
        context, origins = self._context, self._context.origins
        if origins.packages and (wanted := missing() if sys.platform == "wasi" else importable()):
            context.observed.answer(lambda: tuple(sys.path))
            context.program.act(None, "N", sorted(name for name in wanted if not origins.has(name)))
        if not self.imports_by_name or (names := importable()) is None:
            return
        context.observed.answer(lambda: tuple(sys.path))
        context.program.act(None, "H", sorted(name for name in names if origins.of(name) is not Origin.IMAGE))

    def take_overloads(self) -> None:
        """Send the overloads of all functions if code asks for overloads."""
        context, place = self._context, self._walk.classes.mentioned("get_overloads")
        if place is None:
            return
        for entity in list(context.program.functions()):
            context.observed.answer(lambda f=entity.thing: typing.get_overloads(f))  # type: ignore[misc]  # mypy refuses defaults in a lambda
            for overload in typing.get_overloads(cast("types.FunctionType", entity.thing)):
                self.judge(cast("types.FunctionType", overload), place)
                made = context.program.entity(overload)
                context.program.need(made)
                context.program.act(None, "O", made)

    def judge(self, function: types.FunctionType, place: Place) -> None:
        """Judge a function that is reached by name, such as a method or a part of a descriptor."""
        outer, self._context.place = self._context.place, place
        try:
            self.entity(function)
        except Refused as refused:
            name = callable_name(function)
            leaf = Leaf(name, "function", refused.verdict, refused.cure, refused.predicate)
            self._context.refuse(Kind.FUNCTION, name, "function", [leaf], place_of(function, place.inner))
        finally:
            self._context.place = outer

    def _judge_later(self, function: types.FunctionType, entity: Entity) -> None:
        context = self._context
        if (function, True) in self._judged or (function, not context.tolerant) in self._judged:
            return
        self._judged.add((function, not context.tolerant))
        place = self._place(function)
        context.later(lambda: self._hold(function, entity, place))
        if entity.kind == "f":
            context.later(lambda: self._run(function, entity, place))

    def _place(self, function: types.FunctionType) -> Place:
        around = self._context.place
        name = callable_name(function)
        return place_of(function, around.via if around.function == name else around.inner)

    def _origin(self, function: types.FunctionType) -> Origin:
        return self._context.origins.of(
            function.__globals__.get("__name__", "__main__"), function.__globals__.get("__file__")
        )

    def _make(self, function: types.FunctionType) -> Entity:
        program = self._context.program
        module_name = function.__globals__.get("__name__", "__main__")
        self._observe(function)
        owner = owner_of(function)
        if owner is not None and (is_generated(function.__code__) or module_name == "typing"):
            # the guest's dataclass, attrs or NamedTuple makes it again
            return program.make(function, "a", self._walk.classes.entity(owner), function.__name__)
        if getattr(function, "__builtins__", None) is not vars(builtins):  # typeshed does not know it
            raise Refused(
                "its module has built-in names of its own in __builtins__", "give the names to the module itself"
            )
        origin = self._origin(function)
        if origin is Origin.MISSING:
            raise Refused(f"the image has no module {module_name}", missing_cure(module_name, self._context.origins))
        if origin is Origin.IMAGE:
            if not _has_code_in_its_module(function):
                raise Refused(
                    f"its globals name the module {module_name}, which has no such function",
                    "write it in a module of your own",
                )
            # The image's own code of that name: it may differ from the host's where their Python versions do.
            return program.make(function, "g", module_name, function.__code__.co_qualname)
        try:
            source, _ = function_source(function)
        except SourceError as error:
            file = function.__globals__.get("__file__")
            cure = self._context.origins.library_cure(file) if isinstance(file, str) else ""
            raise Refused(error.verdict, cure or error.cure) from None
        module = self._walk.names.module(function.__globals__)
        names = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        cells = {name: program.cell(cell) for name, cell in names}
        return program.make(function, "f", module, source.portable(), function.__code__.co_qualname, cells)

    def _observe(self, function: types.FunctionType) -> None:
        observed = self._context.observed
        for name in ("__code__", "__defaults__", *_OWN_NAMES):
            observed.attribute(function, name)
        observed.table(function.__kwdefaults__ or {})
        observed.attribute(function, "__kwdefaults__")
        observed.table(vars(function))

    def _hold(self, function: types.FunctionType, entity: Entity, place: Place) -> None:
        """Judge the parts of a function, and fill the rebuilt function with them."""
        program = self._context.program
        if entity.kind == "f":
            self._context.changed[place.function] = changed_names(function, function_source(function)[0])
        self._defaults(function, entity, place)
        lines = {read.name: read.line for read in reversed(function_reads(function))}
        cells: dict[str, Reference] = {}
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            reference = self._cell(name, cell, place.at(lines.get(name, place.line)), function, entity)
            if reference is not None:
                cells[name] = reference
        if cells:
            program.part(entity, "cells", cells)
        names = dict(self._names(function, entity))
        if names:
            program.part(entity, "names", names)
        program.part(entity, "attributes", program.parts(entity).get("attributes", {}))
        for name, value in vars(function).items():
            if name not in _MACHINERY:
                self._context.possibly(lambda n=name, v=value: self.attribute(function, n, v, place))  # type: ignore[misc]  # mypy refuses defaults in a lambda
        self._walk.annotations.wait(entity, function)
        messages = message_type(function)
        if messages is not None:
            self._context.possibly(lambda: self._mailbox(function, entity, messages[0], place))

    def _names(self, function: types.FunctionType, entity: Entity) -> Iterator[tuple[str, Reference]]:
        """Yield (name, value) of a function's names and docstring where compiling its source gives others."""
        code, program = function.__code__, self._context.program
        made = {
            "__name__": code.co_name,
            "__qualname__": code.co_qualname,
            "__module__": function.__globals__.get("__name__", "__main__"),
        }
        for name, given in made.items():
            if getattr(function, name) != given:
                yield name, program.value(getattr(function, name))
        if entity.kind == "f" and not _compiles_to_doc(function):
            yield "__doc__", program.value(function.__doc__)

    def attribute(self, function: types.FunctionType, name: str, value: object, place: Place) -> None:
        """Send an attribute of a function; in a tolerant walk a placeholder represents an attribute that cannot be sent."""
        program = self._context.program
        entity = program.entity(function)
        if entity is None or entity.kind not in {"f", "g"}:
            return
        path = f"{function.__name__}.{name}"
        reference = self._walk.values.send(value, Kind.ATTACHED, path, place)
        attributes = dict(program.parts(entity).get("attributes", {}))
        if reference is not None:
            attributes[name] = reference
        elif name not in attributes:
            attributes[name] = self._walk.values.placeholder(path, value)
        program.part(entity, "attributes", attributes)

    def _mailbox(self, function: types.FunctionType, entity: Entity, messages: Any, place: Place) -> None:
        """Write the message type of a function's mailbox for the process, which may spawn the function in turn."""
        values = self._walk.values
        for cls in classes_in(messages):
            if values.judge(cls, Kind.CAPTURED, cls.__qualname__, place, trait="Serializable"):
                self._walk.classes.construct(cls, place)
        reference = None
        if messages is not None:
            reference = values.send(messages, Kind.CAPTURED, callable_name(function), place, trait="Serializable")
        self._context.program.act(entity, "q", entity, function.__code__.co_varnames[0], reference)

    def _cell(
        self, name: str, cell: types.CellType, place: Place, function: types.FunctionType, entity: Entity
    ) -> Reference | None:
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
        observe = functools.partial(self._context.observed.cell, cell, value)
        shape = shape_of(value) if function is self._walk.constants.root else None
        if shape is None:
            observe()
        if self._walk.constants.holds_cell(function, name, value):
            return self._walk.values.send_constant(value, Kind.CAPTURED, name, place)
        before = len(self._context.findings)
        # Private state of a function of the standard library, such as the running calls of `recursive_repr`, begins anew.
        is_fresh = type(value) in {dict, list, set} and not value and self._origin(function) is Origin.IMAGE
        trait: TraitName = "Serializable" if is_fresh else "ProcessSend"
        reference = self._walk.values.send(value, Kind.CAPTURED, name, place, trait=trait)
        if len(self._context.findings) > before:
            self._suggest_fields(name, value, function)
        if reference is None:
            return self._walk.values.placeholder(name, value)
        if shape is not None:
            index = function.__code__.co_freevars.index(name)
            spot = Spot(entity, "cells", name, value, reference, shape, index, observe)
            self._context.program.may_vary(spot)
        if name != "__class__":
            self._walk.names.follow(value, [read for read in function_reads(function) if read.name == name], place)
        return reference

    def _suggest_fields(self, name: str, value: object, function: types.FunctionType) -> None:
        """Advise the user to bind fields first if the code uses only sendable fields of a bad instance."""
        reads = [read for read in function_reads(function) if read.name == name]
        fields = list(dict.fromkeys(read.chain[0] for read in reads if read.chain))
        namespace = getattr(value, "__dict__", {})
        if not fields or not all(read.chain for read in reads) or is_a(value, type | types.ModuleType):
            return
        if all(field in namespace and type(namespace[field]) in ATOMS for field in fields):
            finding = self._context.findings[-1]
            first = dataclasses.replace(finding.leaves[0], cure=wording.self_cure(name, fields))
            self._context.findings[-1] = dataclasses.replace(finding, leaves=(first, *finding.leaves[1:]))

    def _defaults(self, function: types.FunctionType, entity: Entity, place: Place) -> None:
        code, program = function.__code__, self._context.program
        defaults = function.__defaults__ or ()
        # More than parameters: the signature that `inspect` shows may have been set by hand.
        spare = [f"__defaults__[{index}]" for index in range(len(defaults) - code.co_argcount)]
        names = [*spare, *code.co_varnames[: code.co_argcount]]
        pairs = list(zip(names[len(names) - len(defaults) :], defaults, strict=True))
        if pairs:
            sent = [self._default(function, name, value, place) for name, value in pairs]
            program.part(entity, "defaults", sent)
            if function is self._walk.constants.root:
                for index, (value, reference) in enumerate(zip(defaults, sent, strict=True)):
                    shape = shape_of(value)
                    if shape is not None:
                        # The tuple of defaults is observed as a whole.
                        program.may_vary(Spot(entity, "defaults", index, value, reference, shape, index, _nothing))
        if function.__kwdefaults__:
            keyword = {
                name: self._default(function, name, value, place) for name, value in function.__kwdefaults__.items()
            }
            program.part(entity, "kwdefaults", keyword)

    def _default(self, function: types.FunctionType, name: str, value: object, place: Place) -> Reference:
        values = self._walk.values
        if self._walk.constants.holds_default(function, name, value):
            sent = values.send_constant(value, Kind.DEFAULT, name, place)
            return values.placeholder(name, value) if sent is None else sent
        return values.send_or_placeholder(value, Kind.DEFAULT, name, place)

    def _run(self, function: types.FunctionType, entity: Entity, place: Place) -> None:
        """Judge every name that a function reads or writes when it runs."""
        source, references = function_source(function)
        names, context = self._walk.names, self._context
        for statement in references.imports:
            names.statement(statement, function.__globals__, place.at(statement.line))
        self.imports_by_name |= references.imports_by_name
        # After the imports: a module that only this function imports can be examined only now.
        writes = [*references.writes, *lost_writes(function, source)]
        if writes and context.tolerant:
            reason = f"it assigns {writes[0].name}, which nobody outside the process would see"
            context.program.withdraw(entity, callable_name(function), reason)
            return
        for write in writes:
            self._refuse_write(write, place)
        self._walk.constants.reached(source, references, place, namespace=function.__globals__)
        for path, value, line in self._walk.constants.misused(function, source, references):
            self._walk.values.judge(value, Kind.GLOBAL, path, place.at(line))
        module = names.module(function.__globals__)
        written = {write.name for write in references.writes}
        for read in references.globals:
            if read.name not in written:
                names.read(function.__globals__, module, read, place.at(read.line))
        mentioned = [*references.attributes, *(name for read in references.receiver for name in read.chain)]
        mentioned += [read.name for read in references.globals if read.name in INTROSPECTION]
        self._walk.classes.mention([*mentioned, *references.operators], place)
        self._walk.classes.mention_beginnings(references.prefixes, place)
        if references.is_dynamic:
            context.possibly(lambda: names.take_all(function.__globals__, place))
        self._mailboxes_inside(function, source, place)

    def _mailboxes_inside(self, function: types.FunctionType, source: Source, place: Place) -> None:
        if "Mailbox" not in source.text:
            return
        # Where annotations are not evaluated, only this names the parameter types of a nested function.
        module = self._walk.names.module(function.__globals__)
        for name in dict.fromkeys(mailbox_names(source.node)):
            read = Read(name, (), source.line)
            self._context.possibly(lambda r=read: self._walk.names.read(function.__globals__, module, r, place))  # type: ignore[misc]  # mypy refuses defaults in a lambda

    def _refuse_write(self, write: Write, place: Place) -> None:
        leaf = Leaf(write.name, write.keyword, wording.WRITTEN_VERDICT, wording.WRITTEN_CURE)
        self._context.refuse(Kind.WRITTEN, write.name, write.keyword, [leaf], place.at(write.line))


def _nothing() -> None:
    pass


def owner_of(function: types.FunctionType) -> type | None:
    """Return the class that holds a function under its own name, if the function's module shows the class."""
    prefix, _, _ = function.__qualname__.rpartition(".")
    module = loaded(function.__module__)
    if (
        not prefix
        or prefix.endswith("<locals>")
        or module is None
        or resolve(module, function.__qualname__) is not function
    ):
        return None
    owner = resolve(module, prefix)
    return owner if isinstance(owner, type) else None


def _has_code_in_its_module(function: types.FunctionType) -> bool:
    """Return whether a module of the image shows a function's code under its qualified name, where the guest looks for the code."""
    code, module = function.__code__, loaded(function.__globals__.get("__name__", ""))
    if module is None or vars(module) is not function.__globals__:
        return False
    return code_in(resolve(module, code.co_qualname.split(".<locals>.")[0]), code.co_qualname) is not None


def _compiles_to_doc(function: types.FunctionType) -> bool:
    """Return whether compiling a function's source gives its docstring; since Python 3.13 the compiler removes indentation."""
    doc = function.__doc__
    if doc is not None and "\n" in doc and sys.version_info < (3, 13):
        return False
    node = function_source(function)[0].node
    if isinstance(node, ast.Lambda):
        return doc is None
    first = node.body[0]
    literal = first.value.value if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) else None
    written = literal if isinstance(literal, str) else None
    if sys.version_info >= (3, 13):
        return (doc is None) == (written is None) and (doc is None or doc is function.__code__.co_consts[0])
    return doc == written
