"""Explanations: the tree of a callable's captures, or of a class's fields, with the reason why each part can be sent or not.

The tree of a callable is recorded from the same walk that `spawn` makes, so the two cannot disagree.
"""

from __future__ import annotations

import enum
import inspect
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits import table
from capsend_traits.wording import Finding, Kind, Leaf, headline, notes

from capsend.capabilities.handles import grant_of
from capsend.commands import differences
from capsend.commands.findings import Node
from capsend.environment import default
from capsend.shipping.captures.context import place_of
from capsend.shipping.captures.origins import Origin, Origins
from capsend.shipping.captures.values import Values
from capsend.shipping.captures.walk import Place, Walk, callable_name
from capsend.source.locate import SourceError, locate_class
from capsend.traits.asserted import field_types, is_abstract, type_leaves
from capsend.traits.fields import class_fields
from capsend.traits.judge import Shape, class_verdict, parts_of, type_name
from capsend.traits.markers import explicit_impl
from capsend.traits.parts import ATOMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.traits.judge import TraitName

MOST_ITEMS: Final = 4
DEEPEST: Final = 6


def explain(thing: Any) -> Node:
    """Explain a callable by its captures, a class by its fields, and any other value by its parts.

    Raises:
        TypeError: *thing* is a module, which is always sent by name.
    """
    if isinstance(thing, type):
        return _explain_class(thing)
    if isinstance(thing, types.ModuleType):
        raise TypeError(f"{thing.__name__} is a module: name a function or a class in it")
    if callable(thing):
        return _Explanation(thing).tree()
    return _Explanation(lambda: thing).value_tree(thing)


@attrs.frozen
class _Entry:
    """A value or piece of code that the walk judged: its place, and the numbers of findings before and after."""

    kind: Kind
    name: str
    value: object
    trait: TraitName
    place: Place
    first: int
    last: int


class _Recorder(Values):
    """The values of a walk, each recorded when it is judged."""

    def __init__(self, walk: Walk) -> None:
        super().__init__(walk)
        self.walk = walk
        self.entries: list[_Entry] = []

    def judge(
        self,
        value: object,
        kind: Kind,
        name: str,
        place: Place,
        *,
        trait: TraitName = "ProcessSend",
        held: bool = False,
    ) -> bool:
        context = self.walk.context
        if context.tolerant:
            return super().judge(value, kind, name, place, trait=trait, held=held)
        first = len(context.findings)
        # Recorded before its parts are judged, so that the order is that of the source.
        position = len(self.entries)
        good = super().judge(value, kind, name, place, trait=trait, held=held)
        self.entries.insert(position, _Entry(kind, name, value, trait, place, first, len(context.findings)))
        return good


class _Explanation:
    def __init__(self, function: Any) -> None:
        self._function = function
        self._origins = _origins(function)
        self._walk = Walk(origins=self._origins)
        self._recorder = self._walk.values = _Recorder(self._walk)
        self._shown: set[tuple[str, ...]] = set()
        self._explained: set[int] = set()

    def tree(self) -> Node:
        self._walk.root(self._function)
        findings = self._walk.context.findings
        place = place_of(self._function)
        children = self._below((place.function,))
        children += tuple(
            _of_finding(finding) for index, finding in enumerate(findings) if index not in self._explained
        )
        count = len(findings)
        what = "a value that it reaches" if count == 1 else f"{count} values that it reaches"
        answer = f"cannot be spawned: {what} cannot be sent" if count else "can be spawned"
        text = f"{place.function}{_where(place)} {answer}"
        if not children and not count:
            text += "; it captures nothing"
        return Node(text, not count, children=(*children, *self._touches(), *self._differs()))

    def _touches(self) -> Iterator[Node]:
        """Yield the objects of the host that the process may use: only those that it captures or gets as arguments."""
        grants = dict.fromkeys(str(grant) for grant in self._walk.context.program.handles)
        if grants:
            children = tuple(Node(text, good=True) for text in grants)
            yield Node("it may touch, besides its arguments", good=True, children=children)

    def _differs(self) -> Iterator[Node]:
        """Yield the differences between host and guest that concern the reached code."""
        function = self._function
        while not isinstance(function, types.FunctionType | type(None)):
            inner = next((name for name in ("func", "__capsend_function__", "__func__") if hasattr(function, name)), "")
            function = getattr(function, inner, None)
        reached = [entry.value for entry in self._recorder.entries if isinstance(entry.value, types.FunctionType)]
        own = [each for each in (function, *reached) if each is not None and self._origins.name_of(each) is None]
        sentences = differences.sentences(own)
        if sentences:
            yield Node("in a process, this differs (docs/differences.md)", good=True, notes=tuple(sentences))

    def value_tree(self, value: object) -> Node:
        return self._value(value, "the value", "it", "ProcessSend", frozenset())

    def _below(self, way: tuple[str, ...]) -> tuple[Node, ...]:
        """Return the captures of the function at the end of a path; each function is shown once."""
        if way in self._shown:
            return ()
        self._shown.add(way)
        findings = self._walk.context.findings
        nodes: dict[tuple[Kind, str], Node] = {}
        for entry in self._recorder.entries:
            if (*entry.place.via, entry.place.function) == way:
                own = [index for index in range(entry.first, entry.last) if _belongs(findings[index], entry)]
                self._explained.update(own)
                if (entry.kind, entry.name) not in nodes:
                    node = self._entry(entry, [findings[index] for index in own], way)
                    nodes[entry.kind, entry.name] = node
        for index, finding in enumerate(findings):
            if (*finding.via, finding.function) == way and index not in self._explained:
                self._explained.add(index)
                nodes[finding.kind, finding.variable] = _of_finding(finding)
        return tuple(nodes.values())

    def _entry(self, entry: _Entry, findings: list[Finding], way: tuple[str, ...]) -> Node:
        label = f"{entry.kind.value} {entry.name}{_line(entry.place.line)}"
        node = self._value(entry.value, label, entry.name, entry.trait, frozenset())
        function = getattr(entry.value, "__capsend_function__", entry.value)
        further = self._below((*way, callable_name(function))) if isinstance(function, types.FunctionType) else ()
        children = (*node.children, *further)
        if not findings and not all(child.good for child in further):
            text = f"{label}: function, which reaches something that cannot be sent"
            return attrs.evolve(node, text=text, good=False, children=children)
        if not findings:
            return attrs.evolve(node, good=True, children=children)
        leaf = findings[0].leaves[0]
        # The walk may have a better cure than the value alone suggests.
        notes_ = (leaf.verdict, *_cure(leaf)) if node.notes and not leaf.steps else node.notes
        return attrs.evolve(node, good=False, notes=notes_, children=children)

    def _value(self, value: object, label: str, path: str, trait: TraitName, around: frozenset[int]) -> Node:
        text = f"{label}: {'class' if isinstance(value, type) else type_name(type(value))}"
        if id(value) in around:
            return Node(f"{text}, which it is itself a part of", good=True)
        leaves = self._walk.values.leaves(value, trait, path, Place())
        own = [leaf for leaf in leaves if not leaf.steps]
        children = self._parts(value, path, trait, around | {id(value)}) if type(value) not in ATOMS else ()
        if own:
            predicate = own[0].predicate.format(trait=trait)
            return Node(f"{text}, {predicate}", good=False, notes=tuple(_reasons(own)), children=children)
        if leaves:
            return Node(f"{text}, which has a part that is not {trait}", good=False, children=children)
        return Node(f"{text}, {self._why(value, trait)}", good=True, children=children)

    def _parts(self, value: object, path: str, trait: TraitName, around: frozenset[int]) -> tuple[Node, ...]:
        if len(around) > DEEPEST:
            return ()
        shown = [
            self._value(part, f"{noun} {where.lstrip('. ')}", path + where, trait, around)
            for noun, where, part in _parts_of(value, trait)
        ]
        shown.sort(key=lambda node: node.good)
        is_container = class_verdict(type(value), trait).shape is Shape.PARTS
        if is_container and len(shown) > MOST_ITEMS + 1:
            rest = shown[MOST_ITEMS:]
            shown[MOST_ITEMS:] = [Node(f"and {len(rest)} more", good=all(node.good for node in rest))]
        return tuple(shown)

    def _why(self, value: object, trait: TraitName) -> str:
        cls = type(value)
        grant = grant_of(value)
        if grant is not None:
            return f"a right that it is given: {grant}"
        if isinstance(value, types.ModuleType):
            inside = self._origins.of(value.__name__, getattr(value, "__file__", None)) is Origin.IMAGE
            return "which the image has, so it goes by name" if inside else "of which the used attributes are sent"
        if isinstance(value, types.FunctionType | types.BuiltinFunctionType | type):
            named = self._origins.name_of(value)
            return (
                f"which the image has, so it goes by name: {named[0]}.{named[1]}"
                if named
                else "which is sent by its source"
            )
        if hasattr(cls, "__capsend_function__"):
            return "whose function is sent by its source"
        impl = explicit_impl(cls)
        if impl is not None:
            return f'by a promise: @unsafe_process_send("{impl.reason}")'
        if isinstance(value, enum.Enum):
            return "which goes by its class and name"
        declaration = table().of_class(cls)
        if declaration is not None and declaration.trait.value == trait:
            return declaration.reason if trait == "ProcessSend" else "of which each process owns a copy (PerProcess)"
        if class_verdict(cls, trait).shape is Shape.INSTANCE:
            return (
                "whose fields all are, and cannot be assigned again"
                if trait == "ProcessSend"
                else "whose fields all are"
            )
        return "whose parts can all be sent"


def _parts_of(value: object, trait: TraitName) -> Iterator[tuple[str, str, object]]:
    shape = class_verdict(type(value), trait).shape
    if shape in {Shape.PARTS, Shape.INSTANCE}:
        yield from parts_of(value)
    elif shape is Shape.ENUM:
        members: dict[str, enum.Enum] = getattr(type(value), "__members__", {})
        for name, member in members.items():
            yield "member", name, member.value


def _explain_class(cls: type) -> Node:
    if issubclass(cls, enum.Enum) and cls.__members__:
        return _explain_enum(cls)
    leaves = list(type_leaves(cls, "..."))
    serializable = not list(type_leaves(cls, cls.__name__, trait="Serializable"))
    capture = "may be captured" if not leaves else "may not be captured"
    by_value = "may be passed by value" if serializable else "may not be passed by value"
    joint = "and" if serializable is not bool(leaves) else "but"
    own = [leaf for leaf in leaves if not leaf.steps]
    notes_ = [*_reasons(own), *_grounds(cls, good=not leaves)]
    text = f"class {cls.__name__}{_where(_place_of_class(cls))}: its instances {capture} {joint} {by_value}"
    children = tuple(_field_nodes(cls)) if class_verdict(cls, "ProcessSend").shape is Shape.INSTANCE else ()
    return Node(text, not leaves, notes=tuple(dict.fromkeys(notes_)), children=children)


def _explain_enum(cls: type[enum.Enum]) -> Node:
    member = next(iter(cls.__members__.values()))
    node = _Explanation(lambda: member).value_tree(member)
    answer = "can" if node.good else "cannot"
    return attrs.evolve(node, text=f"enum {cls.__name__}{_where(_place_of_class(cls))}: its members {answer} be sent")


def _field_nodes(cls: type) -> Iterator[Node]:
    types_, mutable = field_types(cls), class_fields(cls).mutable
    for name in dict.fromkeys([*types_, *mutable]):
        annotation = types_.get(name, Any)
        shown = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        leaves = list(type_leaves(annotation, name))
        text = f"field {name}: {shown}" if name in types_ else f"field {name}, without an annotation"
        if leaves:
            first = leaves[0]
            where = f"{first.path} is {first.type}, " if first.path != name else ""
            yield Node(
                f"{text}, which is not ProcessSend", good=False, notes=(f"{where}{first.verdict}", *_cure(first))
            )
        elif name in mutable:
            yield Node(f"{text}, which can be assigned again", good=False)
        elif _says_nothing(annotation):
            yield Node(f"{text}: the value decides", good=True)
        else:
            yield Node(f"{text}, which is ProcessSend and cannot be assigned again", good=True)


def _says_nothing(annotation: Any) -> bool:
    """Return whether only the value can decide: Any, object, a type variable or an interface."""
    if typing.get_origin(annotation) in {typing.Final, typing.Annotated}:
        annotation = typing.get_args(annotation)[0]
    bare = typing.get_origin(annotation) or annotation
    return bare in {Any, object} or isinstance(bare, typing.TypeVar) or (isinstance(bare, type) and is_abstract(bare))


def _grounds(cls: type, *, good: bool) -> Iterator[str]:
    impl, declaration = explicit_impl(cls), table().of_class(cls)
    if impl is not None and impl.positive:
        yield f'promised by @unsafe_process_send("{impl.reason}"); its fields are not checked'
    elif declaration is not None and good:
        yield f"{cls.__name__} is declared {declaration.trait.value}: {declaration.reason}"
    if declaration is not None and declaration.parameters:
        yield "as far as the values in it may"


def _reasons(leaves: list[Leaf]) -> Iterator[str]:
    for leaf in leaves:
        yield leaf.verdict
        yield from _cure(leaf)


def _cure(leaf: Leaf) -> tuple[str, ...]:
    return (f"Instead: {leaf.cure}.",) if leaf.cure else ()


def _of_finding(finding: Finding) -> Node:
    return Node(f"{headline(finding)}{_line(finding.line)}", good=False, notes=tuple(notes(finding, place=False)))


def _belongs(finding: Finding, entry: _Entry) -> bool:
    return finding.kind is entry.kind and finding.variable == entry.name


def _origins(function: Any) -> Origins:
    module = getattr(inspect.unwrap(getattr(function, "func", function)), "__module__", None)
    own = module.partition(".")[0] if isinstance(module, str) else ""
    return Origins(knows=default().image.knows, own=own)


def _place_of_class(cls: type) -> Place:
    try:
        source = locate_class(cls)
    except SourceError:
        return Place()
    return Place(cls.__qualname__, (), source.file, source.line)


def _where(place: Place) -> str:
    return f" ({Path(place.file).name}:{place.line})" if place.file else ""


def _line(line: int) -> str:
    return f" (line {line})" if line else ""
