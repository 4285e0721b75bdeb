"""The consequences of classes: methods run by the creation of an instance or by operators, and attributes reached by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend_traits import Trait, wording
from mypy import nodes as n
from mypy.types import CallableType, Instance, Overloaded, Type, get_proper_type
from mypy.typevars import fill_typevars

from capsend_mypy import bodies, names, operators, syntax
from capsend_mypy.failures import absent, short, unseen
from capsend_mypy.fields import is_class_level, is_default
from capsend_mypy.marks import is_per_process
from capsend_mypy.paths import classes_of
from capsend_mypy.spoils import Rule
from capsend_mypy.summary import Failure, Hop
from capsend_mypy.variables import is_sentinel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend_mypy.mentions import Ref
    from capsend_mypy.modules import Modules
    from capsend_mypy.solving import Direct
    from capsend_mypy.variables import Variables

MAKING_CLASSES: Final = ("__prepare__", "__new__", "__init__")
CONSTRUCTION: Final = ("__new__", "__init__", "__post_init__", "__attrs_post_init__", "__attrs_pre_init__")
DESCRIPTORS: Final = ("__init__", "__set_name__", "__get__", "__set__", "__delete__")
WRAPPING: Final = frozenset(
    {
        "functools.partialmethod",
        "functools.cached_property",
        "functools.singledispatchmethod",
        "builtins.staticmethod",
        "builtins.classmethod",
        "builtins.property",
        "functools.partial",
    }
)
"""The classes whose instances in a class body are part of the class: the wrapped functions are code of that class."""
MADE_VERDICT: Final = "it is made in a function, whose variables its methods may capture"
MADE_CURE: Final = "move the class to module level"


class Classes:
    """Follows the consequences of instances and attributes of classes.

    Args:
        modules: finds the object of a full name.
        variables: judges attributes that hold values.
    """

    def __init__(self, modules: Modules, variables: Variables) -> None:
        self.modules = modules
        self.variables = variables

    def made(self, info: n.TypeInfo, found: Direct) -> None:
        """Add the methods that run when an instance of a class is made; other methods count where they are called."""
        known = self.modules.summary(info.module_name)
        if known is None or known.unseen:
            found.failures.append(unseen(self.modules, info.fullname, "class"))
            return
        if names.is_local(info) and any(syntax.function_of(symbol.node) is not None for symbol in info.names.values()):
            leaf = wording.Leaf(
                info.name, f"class {info.name}", MADE_VERDICT, MADE_CURE, predicate=wording.UNKNOWN_CAPTURES
            )
            finding = wording.Finding(wording.Kind.GLOBAL, info.name, leaf.type, "ProcessSend", (leaf,))
            found.failures.append(Failure(finding, Rule.OPAQUE))
            return
        for name in CONSTRUCTION:
            self.reach(info, name, Hop("", ""), found)
        for name, by_library in _overriding(info):
            self.reach(info, name, Hop("", "", when="" if by_library else name), found)
        # The MRO of a subclass may put any class between a class and its base.
        if len(info.bases) > 1:
            self._cooperating(info, found)
        found.edges.append((operators.of(info.fullname), Hop("", "")))
        if info.is_enum:
            here = Hop("", info.name)
            self.variables.typed(
                fill_typevars(info), Trait.PROCESS_SEND, kind=wording.Kind.GLOBAL, name=info.name, hop=here, found=found
            )
        # mypy computes it from the keyword of the class and of its bases; None stands for `type`.
        if info.metaclass_type is not None:
            self.operators(info.metaclass_type.type, found)
        for base in info.mro:
            # mypy's plugins for dataclasses and attrs store the fields under these keys, in an order and form that they
            # do not promise.
            made = base.metadata.get("dataclass") or base.metadata.get("attrs") or {}
            for attribute in made.get("attributes", ()):
                self._stored(base, attribute["name"], Hop("", ""), found)
        for base in info.mro[1:]:
            if names.is_absent(base.module_name):
                found.failures.append(absent(names.absent_name(base.module_name), Hop("", "")))

    def operators(self, info: n.SymbolNode | None, found: Direct) -> None:
        """Add the methods of a class, inherited ones included, that operators, statements and built-in functions call."""
        if not isinstance(info, n.TypeInfo):
            return
        own: dict[str, n.TypeInfo] = {}
        for base in info.mro:
            if not self.modules.is_in_image(base.module_name):
                own |= {name: base for name in base.names if name in operators.METHODS and name not in own}
        for name, owner in sorted(own.items()):
            known = self.modules.summary(owner.module_name)
            if known is None or known.unseen:  # one report for the class, not one for each of its methods
                found.failures.append(unseen(self.modules, owner.fullname, "class"))
            else:
                # A base of the library's calls its own operators by itself, as `MutableMapping.update` does.
                is_syntactic = name in operators.SYNTACTIC and not any(
                    name in base.names for base in info.mro if names.is_known(base.module_name)
                )
                self.reach(info, name, Hop("", "", when=name if is_syntactic else ""), found)

    def _cooperating(self, info: n.TypeInfo, found: Direct) -> None:
        """Add everything that `super()` may find in a class with several bases, in an order that no single class determines."""
        for name, _ in _overriding(info):
            for base in info.mro:
                node = base.names[name].node if name in base.names else None
                if (
                    node is not None
                    and not self.modules.is_in_image(node.fullname)
                    and syntax.function_of(node) is not None
                ):
                    found.edges.append((node.fullname, Hop("", "", when=name)))

    def subclassed(self, fullname: str, hop: Hop, found: Direct) -> None:
        """Add the methods that run when a subclass of a class is made."""
        info = self.modules.symbol(fullname)
        if not isinstance(info, n.TypeInfo):
            return
        self.reach(info, "__init_subclass__", hop, found)
        made_by = info if info.is_metaclass() else info.metaclass_type.type if info.metaclass_type else None
        if made_by is not None:
            for name in MAKING_CLASSES:
                self.reach(made_by, name, hop, found)

    def descriptor(self, declared: Type, ref: Ref, found: Direct) -> None:
        """Add the code that runs at the lookup of an attribute made by a subclass of `property`, `cached_property` or similar."""
        hop = Hop(ref.target, short(ref.target), ref.place)
        for info, _ in classes_of(declared):
            for name in DESCRIPTORS:
                self.reach(info, name, hop, found)

    def reach(self, info: n.TypeInfo, name: str, hop: Hop, found: Direct, *, through_class: bool = False) -> None:
        """Add the consequences of reaching a class attribute: a method runs, other attributes are read."""
        found.modules |= self.modules.modules_of(info)
        symbol = info.get(name)
        node = symbol.node if symbol is not None else None
        if (
            through_class
            and (node is None or self.modules.is_in_image(node.fullname))
            and info.metaclass_type is not None
        ):
            self.reach(info.metaclass_type.type, name, hop, found)
            return
        if node is None or symbol is None or self.modules.is_in_image(node.fullname):
            return
        if syntax.function_of(node) is not None:
            # Methods made by mypy's plugins have no body in the source: dataclasses generate them at run time.
            if not symbol.plugin_generated:
                found.edges.append((node.fullname, hop))
        elif isinstance(node, n.TypeInfo):
            found.edges.append((node.fullname, hop))
        # mypy's plugins make frozen fields properties: variables with `is_property`, which are no attributes of the class.
        elif isinstance(node, n.Var) and not info.is_enum and not node.is_property:
            of_class = (is_class_level(node) or is_default(node)) and not (
                not node.is_classvar and node.info and name in self.modules.assigned(node.info)
            )
            if of_class or (through_class and node.is_initialized_in_class):
                owner = node.info.name if node.info else info.name
                self._class_attribute(node, f"{owner}.{name}", hop, found)

    def _stored(self, info: n.TypeInfo, name: str, hop: Hop, found: Direct) -> bool:
        """Add the consequences of the callables in a class attribute; return whether the class body may show them."""
        known = None if self.modules.is_in_image(info.module_name) else self.modules.summary(info.module_name)
        local = f"{info.fullname[len(info.module_name) + 1 :]}.{name}"
        if known is None or (known.verdicts is None and local not in known.refs):
            return False
        found.edges.append((f"{info.fullname}.{name}", hop))
        return True

    def _class_attribute(self, node: n.Var, name: str, hop: Hop, found: Direct) -> None:
        if node.type is None:
            found.provisional = True
            return
        proper = get_proper_type(node.type)
        if is_sentinel(self.modules.shape(node.fullname)):
            return
        # Only an inferred type belongs to the assigned function; a declared type may stand for any callable.
        is_function = isinstance(proper, CallableType | Overloaded) and node.is_inferred
        is_accessor = isinstance(proper, Instance) and proper.type.fullname in bodies.ACCESSORS
        if (is_function or is_wrapping(proper)) and self.variables.valued(node.fullname, found, hop):
            return
        stored = (is_function or is_accessor) and node.info and self._stored(node.info, node.name, hop, found)
        if stored or is_function:
            return
        trait = Trait.SERIALIZABLE if is_per_process(node.type) else Trait.PROCESS_SEND
        self.variables.typed(
            node.type,
            trait,
            kind=wording.Kind.CLASS_ATTRIBUTE,
            name=name,
            hop=hop,
            found=found,
            variable=node.fullname,
        )


def _overriding(info: n.TypeInfo) -> Iterator[tuple[str, bool]]:
    """Yield the methods that override a base's: code that has an instance under the base's name may call them.

    Yield (name, True if the base is of the library, which may call its methods itself).
    """
    for place, cls in enumerate(
        info.mro[:-2]
    ):  # the last two: the class below `object` overrides nothing, nor does `object`
        if names.is_known(cls.module_name):
            continue
        for name, symbol in cls.names.items():
            if syntax.function_of(symbol.node) is None or symbol.plugin_generated or is_dunder(name):
                continue
            replaced = [base for base in info.mro[place + 1 :] if name in base.names]
            if replaced:
                yield name, any(names.is_known(base.module_name) for base in replaced)


def is_dunder(name: str) -> bool:
    """Return whether a name, such as `__len__`, has a meaning for Python itself."""
    return name.startswith("__") and name.endswith("__")


def is_wrapping(proper: Type) -> bool:
    """Return whether a type is that of an attribute that wraps functions of its class body."""
    return isinstance(proper, Instance) and any(base.fullname in WRAPPING for base in proper.type.mro)
