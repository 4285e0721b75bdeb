"""The consequences of a value shown by the syntax: the functions made by decorators and other calls, and the callables in tables and fields."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from capsend_traits import Trait, wording
from mypy import nodes as n
from mypy.types import CallableType
from mypy.typevars import fill_typevars

from capsend_mypy import mentions, names, outline, shapes, syntax
from capsend_mypy.shapes import Shape
from capsend_mypy.spoils import Rule
from capsend_mypy.summary import Failure, Hop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from capsend_mypy.judge import Judge
    from capsend_mypy.solving import Direct
    from capsend_mypy.spoils import Spoil

MOST_STEPS: Final = 400
GIVES_BACK: Final = frozenset(
    {
        "functools.cache",
        "functools.lru_cache",
        "functools.singledispatch",
        "functools.singledispatchmethod",
        "contextlib.contextmanager",
        "contextlib.asynccontextmanager",
        "functools.cached_property",
        "functools.partialmethod",
        "functools.partial",
        "builtins.property",
        "builtins.staticmethod",
        "builtins.classmethod",
        "builtins.tuple",
        "builtins.frozenset",
        "builtins.list",
        "builtins.dict",
        "functools.update_wrapper",
        "operator.itemgetter",
        "operator.attrgetter",
        "operator.methodcaller",
    }
)
"""Functions that make a value from the callables that they are given, and add no others."""
GIVES_DECORATOR: Final = frozenset(
    {
        "functools.wraps",
        "functools.lru_cache",
        "contextlib.contextmanager",
        "warnings.deprecated",
        "typing_extensions.deprecated",
    }
)

CONTEXT_DECORATORS: Final = frozenset(
    {"contextlib.ContextDecorator.__call__", "contextlib.AsyncContextDecorator.__call__"}
)
"""The methods that make a wrapper which holds the receiver and the decorated function, and enters the receiver at each call."""
ENTERING: Final = ("__enter__", "__exit__", "__aenter__", "__aexit__", "_recreate_cm")

Environment = dict[str, "Value"]


class Unknown(Exception):
    """The syntax does not show the value."""


class Value:
    """A shape with arguments for its parameters."""

    __slots__ = ("environment", "shape")

    def __init__(self, shape: Shape, environment: Environment) -> None:
        self.shape = shape
        self.environment = environment


class Follower(Protocol):
    """The program, as far as values use it: names, shapes, and the functions, variables and attributes behind a value.

    References of functions are found by following values, and values by following references: this class keeps the
    imports of the two free of cycles.
    """

    judge: Judge

    def symbol(self, fullname: str) -> n.SymbolNode | None:
        """Return the object of a full name."""
        ...

    def shape(self, fullname: str) -> Shape | None:
        """Return the shape of a module-level variable's value, or of a function that makes callables, as far as the syntax shows it."""
        ...

    def is_transparent(self, decorator: str) -> bool:
        """Return whether a decorator returns the function it is given."""
        ...

    def receiver(self, target: str, found: Direct) -> tuple[n.TypeInfo | None, bool]:
        """Return (the class to which a path leads, True if the path leads to the class itself and not to an instance)."""
        ...

    def all(self, function: str, refs: Iterable[mentions.Ref], found: Direct) -> None:
        """Add the consequences of the references of a function."""
        ...

    def follow(self, function: str, ref: mentions.Ref, found: Direct) -> bool:
        """Add the consequences of a reference; return whether it settles the whole function."""
        ...

    def variable(self, fullname: str, hop: Hop, found: Direct) -> None:
        """Add the consequences of reading a module-level variable."""
        ...

    def reach(self, info: n.TypeInfo, name: str, hop: Hop, found: Direct) -> None:
        """Add the consequences of reaching an attribute of an instance."""
        ...


class Values:
    """Follows values for one check.

    Args:
        program: follows the functions behind the values.
        found: collects the findings.
        outer: checks a variable of the checked function; without it such a variable is unknown.
    """

    def __init__(self, program: Follower, found: Direct, outer: Callable[[Shape], None] | None = None) -> None:
        self.program = program
        self.found = found
        self.outer = outer
        self._is_changed = False
        self._steps = 0
        self._seen: set[tuple[object, ...]] = set()

    def follow(self, shape: Shape, hop: Hop, *, strict: bool = True) -> bool:
        """Add the consequences of a value; return False, and add nothing, if the syntax does not show all of it.

        Args:
            shape: the value.
            hop: the step that reaches it.
            strict: True to judge the value itself as a capture; False if its type was judged already.
        """
        failures, edges = len(self.found.failures), len(self.found.edges)
        try:
            self._captured(Value(shape, {}), hop, strict=strict)
        except (Unknown, RecursionError):
            del self.found.failures[failures:], self.found.edges[edges:]
            return False
        return True

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise Unknown

    # The possible values

    def resolved(self, value: Value) -> Iterator[Value]:
        """Yield the possible values: with arguments in place of parameters, and results in place of calls."""
        self._step()
        shape = value.shape
        if shape.kind == shapes.PARAMETER:
            given = value.environment.get(shape.name)
            if given is None:
                raise Unknown
            yield from self.resolved(given)
        elif shape.kind == shapes.EITHER:
            for part in shape.parts:
                yield from self.resolved(Value(part, value.environment))
        elif shape.kind == shapes.CALL:
            yield from self._made(value)
        else:
            yield value

    def _made(self, call: Value) -> Iterator[Value]:
        callee, *arguments = call.shape.parts
        given = [Value(argument, call.environment) for argument in arguments]
        for target in self.resolved(Value(callee, call.environment)):
            yield from self._applied(target, given, call)

    def _applied(self, target: Value, given: list[Value], call: Value) -> Iterator[Value]:
        shape = target.shape
        if shape.kind == shapes.METHOD:
            yield from self._method(target, given, call)
        elif shape.kind == shapes.FUNCTION:
            environment = self._bound(target, given, call.shape.keys)
            if not shape.returns:
                raise Unknown
            for returned in shape.returns:
                if not self._is_of_nothing(returned, environment):
                    yield from self.resolved(Value(returned, environment))
        elif shape.kind == shapes.DISPLAY and shape.name in GIVES_DECORATOR:
            yield from given[:1] if not given else self.resolved(given[0])
        elif shape.kind == shapes.NAME:
            yield from self._named(shape.name, given, call)
        elif shape.kind == shapes.CALL:
            yield from self._instance_called(target, given, call)
        else:
            raise Unknown

    @staticmethod
    def _is_of_nothing(returned: Shape, environment: Environment) -> bool:
        """Return whether the returned value is for a call without some argument: decorators that can be called first test for that."""
        arguments = returned.parts[1:] if returned.kind == shapes.CALL else ()
        given = [environment.get(part.name) for part in arguments if part.kind == shapes.PARAMETER]
        return any(value is not None and value.shape == shapes.NONE for value in given)

    def _named(self, fullname: str, given: list[Value], call: Value) -> Iterator[Value]:
        if fullname in GIVES_DECORATOR and not self._is_applied(fullname, given):
            yield Value(Shape(shapes.DISPLAY, fullname), {})
        elif fullname in GIVES_BACK:
            name = "builtins.tuple" if not fullname.startswith("builtins.") else fullname
            parts = Shape(shapes.CALL, name, call.shape.parts[1:])
            yield Value(replace(parts, kind=shapes.DISPLAY), call.environment)
        elif self.program.is_transparent(fullname) and given:
            yield from self.resolved(given[0])
        elif self.program.is_transparent(fullname + "()"):
            yield Value(Shape(shapes.DISPLAY, "functools.wraps"), {})
        else:
            node = self.program.symbol(fullname)
            if isinstance(node, n.TypeInfo):
                yield call
                return
            shape = self.program.shape(fullname)
            if shape is None:
                raise Unknown
            for target in self.resolved(Value(shape, {})):
                yield from self._applied(target, given, call)

    def _instance_called(self, instance: Value, given: list[Value], call: Value) -> Iterator[Value]:
        callee = next(self.resolved(Value(instance.shape.parts[0], instance.environment)))
        info = self.program.symbol(callee.shape.name)
        symbol = info.get("__call__") if isinstance(info, n.TypeInfo) else None
        if isinstance(info, n.TypeInfo) and symbol is not None and symbol.fullname in CONTEXT_DECORATORS:
            for name in filter(info.get, ENTERING):
                bound = Shape(shapes.METHOD, f"C {info.fullname}/{name}", parts=(instance.shape,))
                yield Value(bound, instance.environment)
            yield from self.resolved(given[0])
            return
        shape = self.program.shape(symbol.node.fullname) if symbol is not None and symbol.node is not None else None
        if shape is None:
            raise Unknown
        inner = Value(replace(call.shape, keys=("", *call.shape.keys)), call.environment)
        yield from self._applied(Value(shape, {}), [instance, *given], inner)

    @staticmethod
    def _is_applied(fullname: str, given: list[Value]) -> bool:
        """Return whether a decorator that can also be called first, such as `lru_cache`, is used without a call."""
        if fullname in {"functools.wraps", "warnings.deprecated", "typing_extensions.deprecated"}:
            return False
        return bool(given) and given[0].shape.kind not in {shapes.ATOM, shapes.UNKNOWN}

    def _method(self, target: Value, given: list[Value], call: Value) -> Iterator[Value]:
        path, _, name = target.shape.name.rpartition("/")
        info, through_class = self.program.receiver(path, self.found)
        symbol = info.get(name) if info is not None else None
        function = syntax.function_of(symbol.node if symbol is not None else None)
        if function is None or info is None:
            raise Unknown
        shape = self.program.shape(function.fullname)
        if shape is None:
            if self.program.is_transparent(function.fullname) and given:
                yield from self.resolved(given[0])
                return
            raise Unknown
        bound = [] if function.is_static or (through_class and not function.is_class) else [self._receiver(path, info)]
        keys = tuple("" for _ in bound) + call.shape.keys
        inner = Value(replace(call.shape, keys=keys), call.environment)
        yield from self._applied(Value(shape, {}), [*bound, *given], inner)

    @staticmethod
    def _receiver(path: str, info: n.TypeInfo) -> Value:
        kind, _, name = path.partition(" ")
        plain = kind == "V" and "/" not in name
        return Value(Shape(shapes.NAME, name) if plain else Shape(shapes.UNKNOWN, info.name), {})

    def _bound(self, target: Value, given: list[Value], keys: tuple[str, ...]) -> Environment:
        shape = target.shape
        environment = dict(target.environment)
        names_ = {parameter.lstrip("*").partition(".")[2]: parameter for parameter in shape.parameters}
        for own, default in zip(shape.parameters, shape.defaults, strict=False):
            shown = Shape(shapes.DISPLAY, "builtins.tuple") if own.startswith("*") else default
            environment[own.lstrip("*")] = Value(shown, {})
        positional = [parameter for parameter in shape.parameters if not parameter.startswith("*")]
        rest = next((p for p in shape.parameters if p.startswith("*") and not p.startswith("**")), None)
        for argument, key in zip(given, keys, strict=False):
            if key == shapes.STARRED:
                raise Unknown
            parameter: str | None = names_.get(key) if key else positional.pop(0) if positional else rest
            if parameter is None:
                parameter = next((p for p in shape.parameters if p.startswith("**")), None)
            if parameter is None:
                raise Unknown
            if key and parameter in positional:
                positional.remove(parameter)
            environment[parameter.lstrip("*")] = self._added(environment, parameter, argument)
        return environment

    @staticmethod
    def _added(environment: Environment, parameter: str, argument: Value) -> Value:
        if not parameter.startswith("*") or argument.shape.kind == shapes.ATOM:
            return argument
        before = environment[parameter.lstrip("*")]
        if before.shape.parts:
            raise Unknown  # several in one `*args`, each with its own names
        return Value(Shape(shapes.DISPLAY, "builtins.tuple", parts=(argument.shape,)), argument.environment)

    # Consequences

    def _captured(self, value: Value, hop: Hop, *, strict: bool = True) -> None:
        for each in self.resolved(value):
            self._one(each, hop, strict=strict)

    def _one(self, value: Value, hop: Hop, *, strict: bool) -> None:
        shape = value.shape
        match shape.kind:
            case shapes.ATOM | shapes.SELF:
                return
            case shapes.NAME:
                self._name(shape, hop._replace(place=shape.place or hop.place))
            case shapes.DISPLAY:
                if strict and shape.name in outline.DISPLAYS.values():
                    self._instance(shape, shape.name, hop)
                for part in shape.parts:
                    self._captured(Value(part, value.environment), hop, strict=strict)
            case shapes.FUNCTION:
                self._function(value, hop)
            case shapes.METHOD:
                self._bound_method(value, hop)
            case shapes.CALL:
                self._object(value, hop, strict=strict)
            case shapes.OUTER if self.outer is not None:
                self.outer(shape)
            case _:
                raise Unknown

    def _name(self, shape: Shape, hop: Hop) -> None:
        node = self.program.symbol(shape.name)
        if isinstance(node, n.Var):
            self.program.variable(shape.name, hop, self.found)
        elif node is not None:
            target = outline.target_of(node, shape.name)
            if target is not None:
                self.program.follow(hop.function, mentions.Ref(*target, "", hop.place), self.found)
        else:
            raise Unknown

    def _bound_method(self, value: Value, hop: Hop) -> None:
        """Add the consequences of a method and its receiver, or of an enum's member."""
        path, _, name = value.shape.name.rpartition("/")
        info, through_class = self.program.receiver(path, self.found)
        symbol = info.get(name) if info is not None else None
        node = symbol.node if symbol is not None else None
        # Overloads of a stub have no implementation.
        function = node if isinstance(node, n.OverloadedFuncDef) else syntax.function_of(node)
        if info is None or (function is None and not (through_class and info.is_enum)) or _is_property(node):
            raise Unknown
        self.program.reach(info, name, hop, self.found)
        self.found.edges.append((info.fullname, hop))
        if function is None or through_class or function.is_static or function.is_class:
            return
        receiver = value.shape.parts[0] if value.shape.parts else None
        shown = receiver is not None and receiver.kind == shapes.NAME
        if shown or self.program.judge.spoils(fill_typevars(info), Trait.PROCESS_SEND):
            if receiver is None:
                raise Unknown
            self._captured(Value(receiver, value.environment), hop)
        self.found.modules |= self.program.judge.modules

    def _function(self, value: Value, hop: Hop) -> None:
        shape = value.shape
        key = (shape.name, *(id(inner) for inner in value.environment.values()))
        if key in self._seen:
            return
        self._seen.add(key)
        self.program.all(shape.name, shape.refs, self.found)
        for name, part in zip(shape.keys, shape.parts, strict=True):
            self._is_changed = name.endswith(shapes.CHANGED)
            self._captured(
                Value(part, value.environment), Hop(shape.name, name.removesuffix(shapes.CHANGED), part.place)
            )
        self._is_changed = False
        for default in shape.defaults:
            if default.kind != shapes.UNKNOWN:
                self._captured(Value(default, value.environment), Hop(shape.name, hop.label, default.place))

    def _object(self, value: Value, hop: Hop, *, strict: bool) -> None:
        """Add the consequences of an instance: its class by its fields, whose callables the arguments show."""
        callee, *arguments = value.shape.parts
        target = next(self.resolved(Value(callee, value.environment)))
        info = self.program.symbol(target.shape.name)
        if not isinstance(info, n.TypeInfo):
            self._returned(info)
            return
        if strict:
            self._instance(value.shape, info.fullname, hop)
        if not names.is_known(info.fullname) and "__call__" in info.names:
            self.program.reach(info, "__call__", hop, self.found)
        for argument in arguments:
            self._captured(Value(argument, value.environment), hop, strict=strict)

    def _returned(self, node: n.SymbolNode | None) -> None:
        """Judge the result of a function by the declared type, if the body does not show it."""
        # A function without annotations has no type: nothing is known of its result.
        declared = getattr(syntax.function_of(node), "type", None)
        if not isinstance(declared, CallableType) or self.program.judge.spoils(declared.ret_type, Trait.PROCESS_SEND):
            raise Unknown
        self.found.modules |= self.program.judge.modules

    def _instance(self, shape: Shape, fullname: str, hop: Hop) -> None:
        info = self.program.symbol(fullname)
        if not isinstance(info, n.TypeInfo):
            raise Unknown
        spoils = self.program.judge.conditional(fill_typevars(info), Trait.PROCESS_SEND)
        self.found.modules |= self.program.judge.modules
        bad = [spoil for spoil in spoils if spoil.rule is not Rule.OPAQUE]
        if len(bad) < len(spoils) and not all(is_callable(spoil) for spoil in spoils if spoil.rule is Rule.OPAQUE):
            raise Unknown
        if bad:
            name = hop.label or shape.name.rpartition(".")[2]
            leaves = tuple(spoil.of(name) for spoil in bad)
            if self._is_changed:
                leaves = tuple(replace(leaf, cure=wording.changed_cure(leaf.type)) for leaf in leaves)
            finding = wording.Finding(
                wording.Kind.CAPTURED,
                name,
                leaves[0].type,
                "ProcessSend",
                leaves,
                function=hop.function.rpartition(".")[2],
            )
            self.found.failures.append(Failure(finding, bad[0].rule, (hop,)))


def _is_property(node: object) -> bool:
    return syntax.is_property(node) or (isinstance(node, n.Decorator) and node.func.is_property)


def is_callable(spoil: Spoil) -> bool:
    """Return whether a spoiling part is a callable of which only the type is known."""
    return spoil.rule is Rule.OPAQUE and spoil.leaf.predicate == wording.UNKNOWN_CAPTURES
