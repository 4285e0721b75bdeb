"""The consequences of reading a variable: a failure if its type cannot be sent, the classes of its value, and the callables that the value shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from capsend_traits import Trait, table, wording
from mypy import nodes as n
from mypy.types import CallableType, Overloaded, Type, get_proper_type

from capsend_mypy import constants, names, shapes
from capsend_mypy.failures import of_global, shadowing, short, with_global_cure
from capsend_mypy.marks import is_per_process
from capsend_mypy.spoils import Rule, Spoil
from capsend_mypy.summary import Hop
from capsend_mypy.values import Follower, Values, is_callable

if TYPE_CHECKING:
    from capsend_mypy.modules import Modules
    from capsend_mypy.shapes import Shape
    from capsend_mypy.solving import Direct

VALUED: Final = frozenset({"partial", "partialmethod", "_SingleDispatchCallable", "singledispatchmethod"})
"""The classes of the standard library that hold callables shown by the syntax."""


class Variables:
    """Judges variables by their types, or by their values if the types show too little.

    Args:
        modules: finds the object of a full name.
        follower: follows the consequences of values.
    """

    def __init__(self, modules: Modules, follower: Follower) -> None:
        self.modules = modules
        self.follower = follower

    def variable(
        self, fullname: str, hop: Hop, found: Direct, *, kind: wording.Kind = wording.Kind.GLOBAL, shown: str = ""
    ) -> None:
        """Add the consequences of reading a module-level variable."""
        node = self.modules.symbol(fullname)
        if not isinstance(node, n.Var):
            if node is not None and not self.modules.is_in_image(fullname):
                found.edges.append((fullname, hop))
            return
        module, local = self.modules.split(fullname)
        found.modules.add(module)
        name = shown or local
        # Not inferred yet: a module of the same import cycle whose turn has not come. The check is made again at the file's end.
        if node.type is None:
            found.provisional = True
            return
        known = None if self.modules.is_in_image(module) else self.modules.summary(module)
        if known is not None and local in known.hidden:
            self.hidden(fullname, hop, found)
            return
        if known is not None and local in known.rebound:
            cure = wording.CHANGED_CURE if fullname in self.modules.changes(hop.function) else wording.GLOBAL_CURE
            leaf = wording.Leaf(name, self.modules.judge.name(node.type), wording.REBOUND_VERDICT, cure)
            found.failures.append(
                of_global(kind, name, self.modules.judge.name(node.type), "ProcessSend", [leaf], hop=hop)
            )
            return
        proper = get_proper_type(node.type)
        # In mypy a class is a callable too; it is sent by name, like a function.
        if isinstance(proper, CallableType | Overloaded) and not proper.is_type_obj():
            if known is not None:
                found.edges.append((fullname, hop))
            return
        declared = is_per_process(node.type) or table().is_per_process(fullname)
        trait = Trait.SERIALIZABLE if declared else Trait.PROCESS_SEND
        self.typed(node.type, trait, kind=kind, name=name, hop=hop, found=found, variable=fullname)

    def hidden(self, fullname: str, hop: Hop, found: Direct) -> None:
        """Add the failure of reading a name whose run-time value mypy does not see."""
        name, node = short(fullname), self.modules.symbol(fullname)
        shown = self.modules.judge.name(node.type) if isinstance(node, n.Var) and node.type is not None else "unknown"
        leaf = wording.Leaf(name, shown, wording.HIDDEN_VERDICT, wording.HIDDEN_CURE, predicate=wording.UNKNOWN)
        found.failures.append(
            of_global(wording.Kind.GLOBAL, name, shown, "ProcessSend", [leaf], rule=Rule.OPAQUE, hop=hop)
        )

    def typed(
        self,
        judged: Type,
        trait: Trait,
        *,
        kind: wording.Kind,
        name: str,
        hop: Hop,
        found: Direct,
        variable: str = "",
    ) -> None:
        """Add the consequences of a value of a type: the reason if the value cannot be sent, else its classes.

        Args:
            judged: the type.
            trait: the required trait.
            kind: the kind of path on which the value is reached.
            name: its name in messages.
            hop: the step to the value.
            found: collects the findings.
            variable: the full name of the variable that holds it, whose value may show more than its type.
        """
        of = f"*.{short(variable)}" if kind is wording.Kind.CLASS_ATTRIBUTE else variable
        spoils, classes = self.modules.judged(judged, trait, found)
        if spoils and variable and self._is_told(variable, spoils, found, hop):
            spoils = ()
        if spoils:
            leaves = [with_global_cure(spoil.of(name), kind) for spoil in spoils]
            if kind is wording.Kind.CACHED and spoils[0].rule is Rule.BAD:
                leaves = [replace(leaf, cure=wording.CACHED_CURE) for leaf in leaves]
            if of and of in self.modules.changes(hop.function):
                leaves = [replace(leaf, cure=wording.changed_cure(leaf.type)) for leaf in leaves]
            failure = of_global(
                kind, name, self.modules.judge.name(judged), trait.value, leaves, rule=spoils[0].rule, hop=hop
            )
            may_be_constant = (
                kind in {wording.Kind.GLOBAL, wording.Kind.CLASS_ATTRIBUTE}
                and trait is Trait.PROCESS_SEND
                and constants.is_container(judged)
            )
            found.failures.append(replace(failure, unless=variable) if may_be_constant else failure)
        for cls in sorted(classes):
            if self.modules.is_shadowing(cls, hop):
                found.failures.append(shadowing(names.top(cls), hop))
            found.edges.append((cls, hop))

    def _is_told(self, variable: str, spoils: tuple[Spoil, ...], found: Direct, hop: Hop) -> bool:
        """Return whether the value of a variable shows more than its type; if so, add its consequences."""
        if is_sentinel(self.modules.shape(variable)):
            return True
        if all(is_callable(spoil) or spoil.leaf.type.partition("[")[0] in VALUED for spoil in spoils):
            return self.valued(variable, found, hop)
        unsaid = all(spoil.rule is Rule.ANY and not spoil.leaf.path for spoil in spoils)
        return unsaid and self.valued(variable, found, hop, strict=True)

    def valued(self, fullname: str, found: Direct, hop: Hop | None = None, *, strict: bool = False) -> bool:
        """Add the consequences of a variable's value, if its module shows the value."""
        shape = self.modules.shape(fullname)
        hop = hop or Hop("", fullname.rpartition(".")[2])
        return shape is not None and Values(self.follower, found).follow(shape, hop, strict=strict)


def is_sentinel(shape: Shape | None) -> bool:
    """Return whether a variable is bound only once, to `object()`: it is sent by name."""
    return (
        shape is not None
        and shape.kind == shapes.CALL
        and len(shape.parts) == 1
        and (shape.parts[0].kind, shape.parts[0].name) == (shapes.NAME, shapes.SENTINEL)
    )
