"""The wording of every refusal, for the run time's exceptions and the mypy plugin's reports.

A refusal is a `Finding`: one variable (or argument, or result) that cannot be sent, with one `Leaf` per part that
spoils it. `headline` returns its first line, `notes` the lines below it, and `report` joins several findings into the
text of one exception.
"""

from __future__ import annotations

import enum
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LEAVES: Final = 5
NOT: Final = "which is not {trait}"
UNKNOWN: Final = "which says nothing about {trait}"
UNKNOWN_CAPTURES: Final = "whose captures are unknown"


class Kind(enum.Enum):
    """The relation of a value to a spawned callable; the text begins the headline."""

    CAPTURED = "captured"
    DEFAULT = "the default of parameter"
    RECEIVER = "the receiver"
    PIECE = "in the partial,"
    CALLABLE = "the callable object"
    ATTACHED = "the function's attribute"
    GLOBAL = "global"
    CLASS_ATTRIBUTE = "class attribute"
    WRITTEN = "assigned"
    ARGUMENT = "argument"
    RESULT = "result"
    MESSAGE = "a message in"
    BOUND = "type argument"
    FUNCTION = "function"
    IMPORT = "imported"
    FIELD = "field"
    CLASS = "class"
    CACHED = "the cached result of"


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the path from a variable to a spoiling part: the value at `path` has the type `type`, and its `part` spoils it."""

    path: str
    type: str
    part: str
    noun: str = "field"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One part that spoils a value.

    Attributes:
        path: the path to the part, beginning with the variable, such as `cfg.retry.lock`.
        type: the name of its type.
        verdict: the reason as a sentence, made by one of the functions below.
        cure: the advice, as an imperative phrase.
        predicate: the continuation of the headline after the type.
        steps: the steps to the part, outermost first; empty if the variable itself is bad.
    """

    path: str
    type: str
    verdict: str
    cure: str = ""
    predicate: str = NOT
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One variable, argument or result that cannot be sent.

    Attributes:
        kind: its relation to the callable.
        variable: its name.
        type: the name of its type.
        trait: "ProcessSend" or "Serializable", the trait that the type lacks.
        leaves: the spoiling parts, at least one.
        function: the function that captures or reads it; empty for arguments.
        via: the functions from the spawned one (first) to the one before `function`.
        file: the file of the capture; empty when unknown.
        line: the line of the capture, 1-based; 0 when unknown.
    """

    kind: Kind
    variable: str
    type: str
    trait: str
    leaves: tuple[Leaf, ...]
    function: str = ""
    via: tuple[str, ...] = field(default=())
    file: str = ""
    line: int = 0


def headline(finding: Finding) -> str:
    """Return the finding in one line: `captured "cfg.retry.lock" is lock, which is not ProcessSend`."""
    leaf = finding.leaves[0]
    if finding.kind is Kind.WRITTEN:
        return f'"{finding.variable}" is assigned in {finding.function}, but the process would change only its own copy'
    predicate = leaf.predicate.format(trait=finding.trait)
    if finding.kind is Kind.FUNCTION and leaf.path == finding.variable:
        return f'function "{leaf.path}" {predicate.removeprefix("which ")}'
    return f'{finding.kind.value} "{leaf.path}" is {leaf.type}, {predicate}'


def notes(finding: Finding, *, place: bool = True) -> list[str]:
    """Return the lines below the headline: the place, the path with one step per line, the reason, the cure, and the other bad parts.

    Args:
        finding: the finding to explain.
        place: True to begin with the file and line; mypy prints these itself.
    """
    lines = [_place(finding)] if place and finding.function else []
    lines += _explain(finding.leaves[0], finding)
    for leaf in finding.leaves[1:MAX_LEAVES]:
        lines.append(f'also "{leaf.path}" is {leaf.type}, {leaf.predicate.format(trait=finding.trait)}')
        lines += ["  " + line for line in _explain(leaf, finding)]
    if len(finding.leaves) > MAX_LEAVES:
        lines.append(f"and {len(finding.leaves) - MAX_LEAVES} more parts that are not {finding.trait}")
    return lines


def report(opening: str, findings: list[Finding]) -> str:
    """Return an opening line and all findings as the text of one exception."""
    blocks = []
    for finding in findings:
        below = "".join(f"\n    {line}" for line in notes(finding))
        blocks.append(f"  {headline(finding)}{below}")
    return "\n\n".join([opening, *blocks])


def opening(name: str, findings: list[Finding], *, verb: str = "spawn") -> str:
    """Return the first line of a refusal: `cannot spawn work: 2 of its captures are not ProcessSend.`."""
    count = len(findings)
    if all(f.kind is Kind.CLASS for f in findings):
        return f"class {name} is not ProcessSend, although @process_send asserts it."
    if all(f.kind is Kind.ARGUMENT for f in findings):
        what = "an argument is" if count == 1 else f"{count} arguments are"
        return f"cannot {verb} {name}: {what} not Serializable."
    what = "a value that it captures cannot" if count == 1 else f"{count} values that it captures cannot"
    return f"cannot {verb} {name}: {what} be sent."


def declared(type_name: str, reason: str) -> str:
    """Return the sentence that a type has a negative impl, or no impl of the trait, with the reason."""
    return f"{type_name} is declared not sendable: {reason}"


def bad_part(step: Step, trait: str) -> str:
    """Return the sentence that a value is spoilt by one of its parts."""
    return f"{step.path}: {step.type} has {_article(step.noun)} {step.noun} that is not {trait}: {step.part}"


def no_member(type_name: str) -> str:
    """Return the sentence that a member of an enum was made while the program ran."""
    return f"it was made by a method of {type_name}, whose members do not include it"


def mutable_field(type_name: str, name: str) -> str:
    """Return the sentence that a class is spoilt by a field that can be reassigned."""
    return f"{type_name} has a field that is not ProcessSend: {name} can be assigned, so a captured copy could differ"


MUTABLE_CURES: Final = {
    "dataclass": "declare the class with @dataclass(frozen=True), or pass it as an argument",
    "attrs": "declare the class with @attrs.frozen, or pass it as an argument",
    "": "declare its fields Final, or pass it as an argument",
}

HIDDEN_VERDICT: Final = "at run time the branch beside `if TYPE_CHECKING` assigns it, which mypy does not read"
HIDDEN_CURE: Final = "assign it outside of `if TYPE_CHECKING`, or pass it as an argument"
CHANGING_CURE: Final = "let the method return a new object, or pass it as an argument"
NO_MEMBER_CURE: Final = "send its value, and make the member inside the process, or name it in the class"
CACHED_CURE: Final = "return an immutable value, or do without the cache: each process would have its own"


def shadowing_cure(module: str) -> str:
    """Return the cure for a module of the user that has the name of a module of the standard library."""
    return f"give the module another name: every process has the standard library's {module}"


def image_cure(package: str) -> str:
    """Return the cure for code of an installed package whose captures cannot be sent: put the package into the image."""
    return f'put the package into the image, Image(packages=["{package}"]), and name it in [tool.capsend] packages'


def changes_itself(type_name: str) -> str:
    """Return the sentence that methods of a class change its instances, although it is frozen, an enum or a descriptor."""
    return f"{type_name} has a method that changes it after it was made, so a captured copy could differ"


ANY_VERDICT: Final = "its type is no evidence: Any and object may be anything"
ANY_CURE: Final = "give it a type that is ProcessSend"
OPAQUE_CALLABLE_VERDICT: Final = "a callable of this type may capture anything"
OPAQUE_CALLABLE_CURE: Final = "annotate it Spawnable[...], or pass a function by its name"
OPAQUE_TYPE_VERDICT: Final = "it is an interface: a value behind it may be mutable, or a reference into this process"
LOCAL_CLASS_VERDICT: Final = "it is local to a function, so the process cannot find it by name"
LOCAL_CLASS_CURE: Final = "move the class to module level"
EMPTY_CELL_VERDICT: Final = "it has no value yet"
EMPTY_CELL_CURE: Final = "assign it before the spawn"
REBOUND_VERDICT: Final = "a function of its module assigns this global, so each process would see its own value"
WRITTEN_VERDICT: Final = "an assignment in a process stays in the process and is lost with it"
WRITTEN_CURE: Final = "return the value, and take it from result()"
PACKAGE_WRITTEN_CURE: Final = (
    "set it back before the function ends, make an instance of the function's own in the function, or declare {name} "
    "PerProcess[...] in a declaration file, for each process to have its own"
)
PACKAGE_STATE_CURE: Final = (
    "make an instance of the function's own in the function, or, if it keeps results in dicts, declare {name} "
    "PerProcess[...] in a declaration file, for each process to have its own"
)
IMPL_CURE: Final = "read the values that you need before the spawn, and capture them"
STATE_CURE: Final = "leave it out: define __getstate__ and __setstate__"
HANDLE_VERDICT: Final = "it belongs to the process or program that made it, and to no other"
HANDLE_CURE: Final = (
    "make one inside the process, or use it in the parent; to let others know a process, send its address"
)
CHANGED_CURE: Final = "return the value, take it from result(), and change it on the host"
"""The cure for a value that the function itself changes: `PerProcess` or an immutable copy would only hide the loss, or fail."""
GLOBAL_CURE: Final = "pass it as an argument, make it immutable, or declare it PerProcess[...]"
CHANGED_DICT_CURE: Final = f"{CHANGED_CURE}; or, where it is a cache, decorate the function with functools.cache"
C_CLASS_VERDICT: Final = "it is implemented in C and has no declaration, so its fields cannot be seen"
STUB_VERDICT: Final = "only a stub describes it, and it has no declaration, so its fields cannot be seen"


CHANGING_METHODS: Final = frozenset(
    {
        *(
            "__delitem__",
            "__setitem__",
            "add",
            "append",
            "appendleft",
            "clear",
            "difference_update",
            "discard",
            "extend",
            "extendleft",
            "insert",
        ),
        *(
            "intersection_update",
            "move_to_end",
            "pop",
            "popitem",
            "popleft",
            "remove",
            "reverse",
            "rotate",
            "setdefault",
            "sort",
            "subtract",
        ),
        *("symmetric_difference_update", "update"),
    }
)
"""The methods that change containers of the standard library."""
LENT_MODULES: Final = frozenset({"sys"})
"""The modules whose attributes a function may assign: each process has its own module, which ends with the process."""

_COPY: Final = re.compile(
    r"\b(tuple|frozenset|bytes|dict|list|set|str|join|memoryview|numpy\.asarray)\((?:\.\.\.|d|view|headers)(\.items\(\))?\)"
)


def changed_cure(type_name: str) -> str:
    """Return the cure for a global, a default or a cell that the function itself changes, by its type."""
    return CHANGED_DICT_CURE if type_name.partition("[")[0] == "dict" else CHANGED_CURE


_IMMUTABLE: Final = re.compile(r"pass it as an argument, or capture (tuple|frozenset|bytes)(\(.*?\)+)")
_IMMUTABLE_NOUNS: Final = {"tuple": "a tuple", "frozenset": "a frozenset", "bytes": "bytes"}


def c_class_cure(module: str, name: str, *, has: Callable[[str], bool] = lambda _name: False) -> str:
    """Return the cure for a class with invisible fields: a view of its memory if there is one, else a declaration.

    Args:
        module: the module of the class.
        name: the name of the class in the module.
        has: returns whether the class has an attribute of that name. `__array_interface__` and `__array__` are numpy's,
            `__buffer__` is PEP 688's.
    """
    if has("__array_interface__") or has("__array__"):
        return "pass numpy.asarray(...), its content, as an argument"
    if has("__buffer__"):
        return "pass memoryview(...), its content, as an argument"
    if module.partition(".")[0] in sys.stdlib_module_names:
        return IMPL_CURE
    return f'if it can be rebuilt from its state, declare it in {module.replace(".", "/")}.pyi: class {name}(ProcessSend): "..."'


def fit(cure: str, path: str) -> str:
    """Put the variable into a declaration's cure: `capture tuple(...)` becomes `capture tuple(m)`."""
    if " " in path:
        return cure  # the path leads through a key or an element, and is not an expression
    return _COPY.sub(lambda match: f"{match[1]}({path}{match[2] or ''})", cure)


def receiver_cure(cure: str, callable_name: str) -> str:
    """Return the cure for a bound method: pass its receiver by value, as the first argument of `spawn(Svc.go, ...)`."""
    before, passed, _ = cure.partition("pass it as an argument")
    if passed and callable_name.rpartition(".")[2] in CHANGING_METHODS:
        return CHANGED_CURE
    return f"{before}pass it as the first argument, spawn({callable_name}, ...)" if passed else cure


_RESULT_CURES: Final = {
    "MappingProxyType": "return dict(...) of it",
    "mappingproxy": "return dict(...) of it",
    "function": "return its result, or a function defined at module level",
    "builtin_function_or_method": "return its result",
    "generator": "return list(...) of it",
    "async_generator": "return [item async for item in ...]",
    "coroutine": "await it, and return its result",
    "class": "move the class to module level",
}
_ITERATORS: Final = (
    "iterator",
    "map",
    "filter",
    "zip",
    "enumerate",
    "reversed",
    "dict_keys",
    "dict_values",
    "dict_items",
)


def result_cure(type_name: str, *, is_exception: bool = False) -> str:
    """Return the cure for a result that cannot be sent."""
    if is_exception:
        return "raise it, or return its text"
    if type_name.endswith(_ITERATORS):
        return "return list(...) of it"
    if type_name.endswith(("IO", "Reader", "Writer", "Wrapper")):
        return "return its content"
    return _RESULT_CURES.get(type_name, "return its fields, as built-in values or an instance of a class that was sent")


def self_cure(receiver: str, fields: list[str]) -> str:
    """Return the cure that binds the used fields first, so that the receiver need not be sent: `n = self.n`."""
    binding = "; ".join(f"{name} = {receiver}.{name}" for name in fields)
    return f"bind the fields that you use before the spawn, {binding}, and use those"


def _explain(leaf: Leaf, finding: Finding) -> list[str]:
    lines = [bad_part(step, finding.trait) for step in leaf.steps]
    lines.append(leaf.verdict)
    if leaf.cure:
        lines.append(f"Instead: {_cure(leaf.cure, finding)}.")
    return lines


def _cure(cure: str, finding: Finding) -> str:
    """Return a cure that fits the position: an argument cannot be "passed as an argument", and a type argument cannot be captured."""
    if cure == ANY_CURE:
        return ANY_CURE.replace("ProcessSend", finding.trait)
    copied = _IMMUTABLE.search(cure)
    if copied is None:
        is_given = finding.kind in {Kind.ARGUMENT, Kind.BOUND}
        return cure.removesuffix(", or pass it as an argument") if is_given else cure
    if finding.kind is Kind.DEFAULT:
        return _IMMUTABLE.sub(
            f"give the parameter an immutable default, such as {_IMMUTABLE_NOUNS[copied[1]]}, or pass the value", cure
        )
    if finding.kind is Kind.ARGUMENT:
        return _IMMUTABLE.sub(f"pass {copied[1]}{copied[2]}", cure)
    return _IMMUTABLE.sub(f"use an immutable type, such as {copied[1]}", cure) if finding.kind is Kind.BOUND else cure


def _place(finding: Finding) -> str:
    place = f"in {finding.function}"
    if finding.file:
        place += f", {finding.file}:{finding.line}"
    if finding.via:
        place += f" (reached from {' -> '.join([*finding.via, finding.function])})"
    return place


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"
