"""The judge of types: which parts of a type spoil a trait. An auto trait, computed on mypy's types."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from capsend_traits import Trait, table, wording
from mypy.expandtype import expand_type_by_instance
from mypy.maptype import map_instance_to_supertype
from mypy.messages import format_type_bare
from mypy.nodes import Decorator, TypeInfo, Var
from mypy.type_visitor import TypeTranslator
from mypy.types import (
    AnyType,
    CallableType,
    DeletedType,
    ErasedType,
    Instance,
    LiteralType,
    NoneType,
    Overloaded,
    PartialType,
    ProperType,
    TupleType,
    Type,
    TypeAliasType,
    TypedDictType,
    TypeOfAny,
    TypeType,
    TypeVarType,
    UninhabitedType,
    UnionType,
    UnpackType,
    get_proper_type,
)

from capsend_mypy import names
from capsend_mypy.changing import is_descriptor
from capsend_mypy.fields import (
    as_field,
    frozen_fields,
    is_cached_property,
    is_class_level,
    is_frozen,
    is_marker_field,
    is_sunder,
    spelling,
)
from capsend_mypy.marks import is_per_process
from capsend_mypy.spoils import Rule, Spoil

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from capsend_traits import Declaration
    from mypy.nodes import MypyFile
    from mypy.options import Options

MAX_DEPTH: Final = 60
MAX_SPOILS: Final = wording.MAX_LEAVES + 1
EMPTY_BASES: Final = frozenset(
    {
        "builtins.object",
        "typing.Generic",
        "typing.Protocol",
        "abc.ABC",
        "enum.Enum",
        "typing.NamedTuple",
        *names.MARKERS,
    }
)
BY_NAME: Final = frozenset({"types.ModuleType", "builtins.type"})
STATELESS: Final = frozenset({"typing", "typing_extensions", "abc", "numbers"})
SAYS: Final = {Trait.PROCESS_SEND: "ProcessSend", Trait.SERIALIZABLE: "Serializable"}
CONCRETE_CURE: Final = "annotate a concrete type that is {trait}, such as {example}"
ABSTRACT_CURE: Final = "annotate a concrete type that is {trait}, such as {example}, or let {name} extend {trait}"
EXAMPLES: Final = {
    "Sequence": "tuple[...]",
    "Iterable": "tuple[...]",
    "Collection": "tuple[...]",
    "AbstractSet": "frozenset[...]",
    "Set": "frozenset[...]",
    "Mapping": "tuple[tuple[...], ...], or PerProcess[dict[...]] for a global",
}
COPIED_EXAMPLES: Final = {
    "Sequence": "list[...]",
    "Iterable": "list[...]",
    "Collection": "list[...]",
    "AbstractSet": "set[...]",
    "Set": "set[...]",
    "Mapping": "dict[...]",
    "MutableMapping": "dict[...]",
    "MutableSequence": "list[...]",
}
"""The examples for which a copy will do."""
UNBOUND_VERDICT: Final = "the type variable {name} may stand for any type"
UNBOUND_CURE: Final = "bound it: TypeVar({name!r}, bound={trait})"
DEEP_VERDICT: Final = "its type nests too deeply to be decided"
DEEP_CURE: Final = "declare the class with @unsafe_process_send, or simplify it"


# typeshed's names for classes that users and the run time call by other names.
RENAMES: Final = {"LockType": "lock", "ReferenceType": "ref"}
RENAMED: Final = re.compile(r"\b(LockType|ReferenceType)\b")


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one type, with the modules on which it depends and the user classes that a value of the type needs."""

    spoils: tuple[Spoil, ...]
    modules: frozenset[str]
    classes: frozenset[str]


Memo = dict[tuple[Type, Trait], Judgement]


# Of mypy's compiled type visitors, only this one and `TypeQuery` can be inherited from.
class _Shown(TypeTranslator):
    """Leaves out the arguments of a generic class that were not inferred: `list[_T]` becomes `list`."""

    def visit_instance(self, t: Instance, /) -> Type:
        arguments = [get_proper_type(argument) for argument in t.args]
        if any(_is_open(argument, t) for argument in arguments):
            return t.copy_modified(args=[])
        return super().visit_instance(t)

    def visit_type_alias_type(self, t: TypeAliasType, /) -> Type:
        return t


def _is_open(argument: ProperType, owner: Instance) -> bool:
    if isinstance(argument, TypeVarType):
        # A meta variable is one that mypy has not solved; one in the class's own namespace is unchanged from the
        # class's declaration.
        return argument.id.is_meta_var() or argument.id.namespace == owner.type.fullname
    # mypy leaves `Never` where it inferred nothing, as for `[]`; an explicit `Never` is marked in some versions.
    return isinstance(argument, UninhabitedType | ErasedType) and not getattr(argument, "is_noreturn", False)


class Judge:
    """Judges types for one build; in the daemon, where types change in place, for one check.

    A class is assumed to have the trait while its own fields are judged: auto traits are coinductive.

    Args:
        files: the modules of the build, by name.
        options: mypy's options, for the form of types.
        memo: earlier verdicts, if types do not change meanwhile.
        assigned: returns the names that a class body assigns and that methods of the class assign on their receiver.
        changes: returns whether methods of a class change its instances although the class looks immutable.

    Attributes:
        modules: the modules on which the answers so far depend.
        classes: the user classes judged so far.
        provisional: True if a type was not inferred yet, so that the answer may change.
    """

    def __init__(
        self,
        files: Mapping[str, MypyFile],
        options: Options,
        *,
        memo: Memo | None = None,
        assigned: Callable[[TypeInfo], Collection[str]] = lambda _: (),
        changes: Callable[[TypeInfo], bool] = lambda _: False,
    ) -> None:
        self.files = files
        self.changes = changes
        self.assigned = assigned
        self.options = options
        self.memo: Memo = {} if memo is None else memo
        self.modules: set[str] = set()
        self.classes: set[str] = set()
        self.provisional = False
        self.assume_variables = False
        self.lenient = False
        self.in_message = False
        self._open: dict[tuple[Type, Trait], int] = {}
        self._lowest: list[int] = []

    def name(self, judged: Type) -> str:
        """Return a type as in mypy's messages, without inferred type variables."""
        # mypy's own formatter, so that a type reads as in mypy's errors.
        shown = format_type_bare(judged.accept(_Shown()), self.options)
        return RENAMED.sub(lambda match: RENAMES[match[0]], shown)

    def spoils(self, judged: Type, trait: Trait) -> tuple[Spoil, ...]:
        """Return the parts of a type that spoil a trait; empty if it has the trait."""
        return tuple(sorted(self._judge(get_proper_type(judged), trait, 0), key=lambda spoil: spoil.soft))[:MAX_SPOILS]

    def conditional(self, judged: Type, trait: Trait) -> tuple[Spoil, ...]:
        """Return the parts of a generic class that spoil a trait, assuming that its own type variables have the trait."""
        self.memo, kept, self.assume_variables = {}, self.memo, True
        try:
            return self.spoils(judged, trait)
        finally:
            self.memo, self.assume_variables = kept, False

    def result(self, judged: Type) -> tuple[Spoil, ...]:
        """Return the parts that spoil a result.

        `Any` and type variables are left to the run time, which judges the value itself.
        """
        self.memo, kept, self.assume_variables, self.lenient = {}, self.memo, True, True
        try:
            return self.spoils(judged, Trait.SERIALIZABLE)
        finally:
            self.memo, self.assume_variables, self.lenient = kept, False, False

    def message(self, judged: Type) -> tuple[Spoil, ...]:
        """Return the parts that spoil a message, as `result` does; a capability that is fixed when a process starts cannot be sent."""
        self.in_message = True
        try:
            return self.result(judged)
        finally:
            self.in_message = False

    def leaf(
        self, judged: Type, verdict: str, cure: str, *, rule: Rule = Rule.BAD, predicate: str = wording.NOT
    ) -> Spoil:
        """Return a spoiling part that is the judged value itself."""
        return Spoil(
            wording.Leaf(path="", type=self.name(judged), verdict=verdict, cure=cure, predicate=predicate), rule
        )

    def _judge(self, judged: ProperType, trait: Trait, depth: int) -> Iterable[Spoil]:
        match judged:
            case Instance():
                return self._memoised(judged, trait, depth)
            # None and classes have every trait; the other three types have no values.
            case NoneType() | UninhabitedType() | DeletedType() | ErasedType() | TypeType():
                return ()
            case AnyType():
                # If an error made the type Any, mypy has reported that error already.
                if self.lenient or judged.type_of_any == TypeOfAny.from_error:
                    return ()
                return (
                    self.leaf(judged, wording.ANY_VERDICT, wording.ANY_CURE, rule=Rule.ANY, predicate=wording.UNKNOWN),
                )
            # A literal's fallback is the class of its value.
            case LiteralType():
                return self._judge(judged.fallback, trait, depth + 1)
            case UnionType():
                return [
                    spoil for item in judged.items for spoil in self._judge(get_proper_type(item), trait, depth + 1)
                ]
            case TupleType():
                return self._tuple(judged, trait, depth)
            case TypedDictType():
                return self._typed_dict(judged, trait, depth)
            case TypeVarType():
                return self._variable(judged, trait, depth)
            case CallableType() | Overloaded():
                # In mypy the type of a class is a callable too: that of its constructor.
                return () if judged.is_type_obj() else (self.callable(judged),)
            case PartialType():
                return self._partial(judged, trait)
        return (
            self.leaf(
                judged,
                UNBOUND_VERDICT.format(name=self.name(judged)),
                wording.ANY_CURE,
                rule=Rule.OPAQUE,
                predicate=wording.UNKNOWN,
            ),
        )

    def callable(self, judged: Type) -> Spoil:
        """Return the verdict on a value of which only a callable type is known."""
        return self.leaf(
            judged,
            wording.OPAQUE_CALLABLE_VERDICT,
            wording.OPAQUE_CALLABLE_CURE,
            rule=Rule.OPAQUE,
            predicate=wording.UNKNOWN_CAPTURES,
        )

    def _part(
        self, owner: Type, part: Type, trait: Trait, depth: int, *, path: str, noun: str, label: str
    ) -> list[Spoil]:
        found = self._judge(get_proper_type(part), trait, depth + 1)
        return [spoil.under(path, type_name=self.name(owner), noun=noun, label=label) for spoil in found]

    def _tuple(self, judged: TupleType, trait: Trait, depth: int) -> list[Spoil]:
        fallback = judged.partial_fallback
        # mypy has the names of a named tuple's fields in the metadata of its class, the types in the tuple.
        fields = fallback.type.metadata.get("namedtuple", {}).get("fields", []) if fallback.type.is_named_tuple else []
        found: list[Spoil] = []
        for i, item in enumerate(judged.items):
            # `tuple[int, *Ts]`: the unpacked part is one item, of a type that stands for several.
            unpacked = get_proper_type(item)
            if isinstance(unpacked, UnpackType):
                inner = get_proper_type(unpacked.type)
                spoils = self._judge(inner, trait, depth + 1)
                found += [s.under("[...]", type_name=self.name(judged), noun="item", label="*") for s in spoils]
            elif i < len(fields):
                found += self._part(judged, item, trait, depth, path=f".{fields[i]}", noun="field", label=fields[i])
            else:
                found += self._part(judged, item, trait, depth, path=f"[{i}]", noun="item", label=f"[{i}]")
        if fallback.type.fullname != "builtins.tuple":
            self._note_class(fallback.type)
            explicit = self._explicit(fallback, trait)
            if explicit is not None:
                return list(explicit)
            # A stub shows everything that a tuple holds; its bases have only methods.
            found += () if self._is_stub(fallback.type) else self._fields(fallback, trait, depth)
        return found

    def _typed_dict(self, judged: TypedDictType, trait: Trait, depth: int) -> list[Spoil]:
        if trait is Trait.PROCESS_SEND:
            declaration = table().by_name("builtins.dict")
            reason, cure = (
                (declaration.reason, declaration.cure) if declaration else ("it is mutable", "pass it as an argument")
            )
            return [self.leaf(judged, wording.declared(self.name(judged), reason), cure)]
        found: list[Spoil] = []
        for key, item in judged.items.items():
            found += self._part(judged, item, trait, depth, path=f"[{key!r}]", noun="item", label=repr(key))
        return found

    def _variable(self, judged: TypeVarType, trait: Trait, depth: int) -> Iterable[Spoil]:
        if judged.values:
            return [spoil for value in judged.values for spoil in self._judge(get_proper_type(value), trait, depth + 1)]
        bound = get_proper_type(judged.upper_bound)
        if self.assume_variables:
            return ()
        if isinstance(bound, Instance) and bound.type.fullname == "builtins.object":
            name, wanted = judged.name, SAYS[trait]
            verdict, cure = UNBOUND_VERDICT.format(name=name), UNBOUND_CURE.format(name=name, trait=wanted)
            return (self.leaf(judged, verdict, cure, rule=Rule.OPAQUE, predicate=wording.UNKNOWN),)
        return self._judge(bound, trait, depth + 1)

    def _partial(self, judged: PartialType, trait: Trait) -> tuple[Spoil, ...]:
        # A partial type is that of `x = []` before mypy has seen an element; `type` is None for `x = None`.
        declaration = table().by_name(judged.type.fullname) if judged.type is not None else None
        if declaration is None or declaration.has(trait) or judged.type is None:
            return ()
        leaf = wording.Leaf(
            "", judged.type.name, wording.declared(judged.type.name, declaration.reason), declaration.cure
        )
        return (Spoil(leaf),)

    def _memoised(self, judged: Instance, trait: Trait, depth: int) -> Iterable[Spoil]:
        # `Instance` is hashed by class and arguments, so the key is the same for each mention of a type.
        key = (judged, trait)
        known = self.memo.get(key)
        if known is not None:
            self.modules |= known.modules
            self.classes |= known.classes
            return known.spoils
        # A class within its own fields: the answer depends on the assumption made at that depth.
        if key in self._open:
            self._lowest[-1] = min(self._lowest[-1], self._open[key])
            return ()
        if depth > MAX_DEPTH:
            return (self.leaf(judged, DEEP_VERDICT, DEEP_CURE, rule=Rule.OPAQUE),)
        return self._judge_open(judged, trait, depth)

    def _judge_open(self, judged: Instance, trait: Trait, depth: int) -> tuple[Spoil, ...]:
        key, index = (judged, trait), len(self._open)
        self._open[key] = index
        self._lowest.append(index)
        outer = self.modules, self.classes, self.provisional
        self.modules, self.classes, self.provisional = set(), set(), False
        spoils = tuple(self._instance(judged, trait, depth))[:MAX_SPOILS]
        lowest = self._lowest.pop()
        del self._open[key]
        if self._lowest:
            self._lowest[-1] = min(self._lowest[-1], lowest)
        # A refusal is final; a yes is final only if it depends on no open assumption.
        if (spoils or lowest >= index) and not self.provisional:
            self.memo[key] = Judgement(spoils, frozenset(self.modules), frozenset(self.classes))
        self.modules |= outer[0]
        self.classes |= outer[1]
        self.provisional |= outer[2]
        return spoils

    def _note_class(self, info: TypeInfo) -> None:
        self.modules.update(base.module_name for base in info.mro)
        self.classes.update(base.fullname for base in info.mro if not names.is_known(base.module_name))

    def _explicit(self, judged: Instance, trait: Trait) -> tuple[Spoil, ...] | None:
        """Return the answer of an explicit impl, the user's or a declaration's; None if the fields decide."""
        info = judged.type
        if self.in_message and (settled := names.SETTLED.get(info.fullname)) is not None:
            verdict = f"{settled} is settled when it starts"
            return (self.leaf(judged, verdict, "capture it, or pass it to spawn", predicate="which cannot be sent"),)
        for base in info.mro:
            # `metadata` comes back with the class from mypy's cache, as written by `impls`.
            impl = base.metadata.get(names.METADATA, {})
            if impl.get("negative") is not None:
                owner = self.name(judged) if base is info else base.name
                return (self.leaf(judged, wording.declared(owner, impl["negative"]), wording.IMPL_CURE),)
            if base is info and impl.get("unsafe") is not None:
                return ()
            declaration = table().by_name(base.fullname)
            if declaration is not None and not declaration.has(trait):
                owner = RENAMES.get(base.name, base.name)
                return (self.leaf(judged, wording.declared(owner, declaration.reason), declaration.cure),)
            if base is info and declaration is not None and not declaration.parameters:
                return ()
        return None

    def _instance(self, judged: Instance, trait: Trait, depth: int) -> Iterable[Spoil]:
        info = judged.type
        self._note_class(info)
        if info.fullname == "builtins.object":
            return (self.leaf(judged, wording.ANY_VERDICT, wording.ANY_CURE, rule=Rule.ANY, predicate=wording.UNKNOWN),)
        explicit = self._explicit(judged, trait)
        if explicit is not None:
            return explicit
        if info.fullname in BY_NAME:
            return ()
        if names.top(info.module_name) == "capsend" and not info.is_protocol and info.fullname != names.RECORD:
            return (
                () if info.fullname in names.SENT else (self.leaf(judged, wording.HANDLE_VERDICT, wording.HANDLE_CURE),)
            )
        own = table().by_name(info.fullname)
        if own is not None:
            return self._arguments(judged, own, trait, depth)
        if info.is_enum:
            return self._enum(judged, trait, depth)
        if self._extends(info, trait):
            # A promise by inheritance is checked where each class is defined: an abstract one is trusted.
            return () if info.is_protocol or info.is_abstract else self._structural(judged, trait, depth)
        if info.is_protocol and "__call__" in info.names:
            return (self.callable(judged),)
        if info.is_protocol or info.is_abstract:
            examples = EXAMPLES if trait is Trait.PROCESS_SEND else EXAMPLES | COPIED_EXAMPLES
            example = examples.get(info.name, "a frozen dataclass")
            form = CONCRETE_CURE if names.is_known(info.fullname) else ABSTRACT_CURE
            cure = form.format(trait=SAYS[trait], example=example, name=info.name)
            return (self.leaf(judged, wording.OPAQUE_TYPE_VERDICT, cure, rule=Rule.OPAQUE, predicate=wording.UNKNOWN),)
        return self._structural(judged, trait, depth)

    @staticmethod
    def _extends(info: TypeInfo, trait: Trait) -> bool:
        markers = names.MARKERS if trait is Trait.SERIALIZABLE else (names.PROCESS_SEND,)
        return any(base.fullname in markers for base in info.mro)

    def _arguments(self, judged: Instance, declaration: Declaration, trait: Trait, depth: int) -> list[Spoil]:
        found: list[Spoil] = []
        # a plain `slice` has Any for its bounds, which users do not write out
        if judged.type.fullname == "builtins.slice":
            return found
        for argument in judged.args[: len(declaration.parameters)]:
            found += self._part(judged, argument, trait, depth, path="[...]", noun="element", label=self.name(argument))
        return found

    def _enum(self, judged: Instance, trait: Trait, depth: int) -> list[Spoil]:
        found: list[Spoil] = []
        # Not `names`, which also has methods, and what `_ignore_` names.
        for member in judged.type.enum_members:
            node = judged.type.names[member].node
            if not isinstance(node, Var):
                continue
            if node.type is None:
                self.provisional = True
                continue
            found += self._part(judged, node.type, trait, depth, path=f".{member}", noun="member", label=member)
        if trait is Trait.PROCESS_SEND:
            for base in judged.type.mro:
                if not names.is_known(base.module_name):
                    found += self._fields_of_members(judged, base, depth)
        return found

    def _fields_of_members(self, judged: Instance, base: TypeInfo, depth: int) -> list[Spoil]:
        found: list[Spoil] = []
        for name, field in self._declared_fields(base):
            if field.type is not None and name not in judged.type.enum_members and not is_sunder(name):
                found += self._part(
                    judged, field.type, Trait.PROCESS_SEND, depth, path=f".{name}", noun="field", label=name
                )
        return [*found, self._changing(judged)] if self.changes(base) else found

    def _changing(self, judged: Instance) -> Spoil:
        return self.leaf(judged, wording.changes_itself(judged.type.name), wording.CHANGING_CURE)

    def _structural(self, judged: Instance, trait: Trait, depth: int) -> list[Spoil]:
        info = judged.type
        # mypy sets this on a class that has a base of type Any: the base may have any fields.
        if info.fallback_to_any and not self.lenient:
            return [self.leaf(judged, wording.ANY_VERDICT, wording.ANY_CURE, rule=Rule.ANY, predicate=wording.UNKNOWN)]
        # A stub does not show the fields of a class written in C.
        if self._is_stub(info):
            return [self._undeclared(judged, info)]
        for whole in (info.tuple_type, info.typeddict_type):
            if whole is not None:
                # The parts of a named tuple or typed dict contain the class's own type variables, until this type's
                # arguments are filled in.
                expanded = get_proper_type(expand_type_by_instance(whole, judged))
                return list(self._judge(expanded, trait, depth + 1))
        return self._fields(judged, trait, depth)

    def _undeclared(self, judged: Instance, info: TypeInfo) -> Spoil:
        # mypy's `has_readable_member` looks along the MRO.
        cure = wording.c_class_cure(info.module_name, info.name, has=info.has_readable_member)
        return self.leaf(judged, wording.STUB_VERDICT, cure, rule=Rule.OPAQUE)

    def _is_stub(self, info: TypeInfo) -> bool:
        file = self.files.get(info.module_name)
        return file is not None and file.is_stub

    def _fields(self, judged: Instance, trait: Trait, depth: int) -> list[Spoil]:
        found: list[Spoil] = []
        mutable = ""
        kept = frozen_fields(judged.type)
        for base in reversed(judged.type.mro):
            if base.fullname in EMPTY_BASES or base.is_named_tuple:
                continue
            # The base with the subclass's type arguments: fields are declared in the base's own variables.
            # For a base of the MRO only: for any other class mypy's function fills in Any, without a word.
            mapped = map_instance_to_supertype(judged, base)
            declaration = table().by_name(base.fullname)
            if declaration is not None:
                found += self._arguments(mapped, declaration, trait, depth)
                continue
            if self._is_stub(base):
                if not (base.is_protocol or base.is_abstract or base.module_name in STATELESS):
                    found.append(self._undeclared(judged, base))
                continue
            changes = trait is Trait.PROCESS_SEND and self.changes(base)
            if changes and not any(is_self_changing(spoil) for spoil in found):
                found.append(self._changing(judged))
            frozen = is_frozen(base) or changes or (is_descriptor(base) and not self._any_changes(judged.type))
            for name, field in self._declared_fields(base):
                if not (mutable or frozen or field.is_final or name in kept):
                    mutable = name
                part = expand_type_by_instance(field.type, mapped) if field.type is not None else None
                if part is not None:
                    found += self._part(judged, part, trait, depth, path=f".{name}", noun="field", label=name)
        if mutable and trait is Trait.PROCESS_SEND:
            spoil = self.leaf(
                judged, wording.mutable_field(judged.type.name, mutable), wording.MUTABLE_CURES[spelling(judged.type)]
            )
            found.append(replace(spoil, soft=True))
        return found

    def _any_changes(self, info: TypeInfo) -> bool:
        return any(self.changes(base) for base in info.mro)

    def _declared_fields(self, info: TypeInfo) -> Iterable[tuple[str, Var]]:
        # mypy's plugins turn the fields of frozen classes into properties. The metadata shows that these are fields.
        generated = info.metadata.get("dataclass") or info.metadata.get("attrs") or {}
        listed = {attribute["name"] for attribute in generated.get("attributes", ())}
        assigned = (
            self.assigned(info)
            if any(isinstance(s.node, Var) and is_class_level(s.node) for s in info.names.values())
            else ()
        )
        for name, symbol in info.names.items():
            node = symbol.node
            if isinstance(node, Decorator) and is_cached_property(node):
                yield name, as_field(node)
                continue
            if not isinstance(node, Var) or node.is_classvar or (name.startswith("__") and name.endswith("__")):
                continue
            if is_class_level(node) and name not in listed and not (node.is_inferred and name in assigned):
                continue
            if node.type is None:
                self.provisional = True
            elif node.is_initialized_in_class and name not in listed and is_per_process(node.type):
                continue  # a class attribute of which each process has its own
            elif not is_marker_field(node.type):
                yield name, node


def is_self_changing(spoil: Spoil) -> bool:
    """Return whether a part spoils because its class changes its own instances."""
    return spoil.leaf.cure == wording.CHANGING_CURE
