"""The failures found by following references, one function for each kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from capsend_traits import wording
from capsend_traits.absent import cure as cure_of_absent

from capsend_mypy import names
from capsend_mypy.spoils import Rule
from capsend_mypy.summary import Failure, Hop

if TYPE_CHECKING:
    from mypy.types import Type

    from capsend_mypy.judge import Judge
    from capsend_mypy.modules import Modules

UNSEEN_VERDICT: Final = (
    "its body is not seen: it belongs to an installed package, or to a module that mypy only follows silently"
)
UNSEEN_CURE: Final = "let mypy check the module, or name its package in [tool.capsend] packages if the image has it"

DECORATED_VERDICT: Final = "a decorator wraps it, and the captures of the wrapper are unknown"
ELSEWHERE_VERDICT: Final = "modules add functions or classes to it, too many to follow"
ELSEWHERE_CURE: Final = "call the function or make the class that is meant by its own name"
DECORATED_CURE: Final = "let the decorator return Spawnable[...], or return the function it is given"


def absent(module: str, hop: Hop) -> Failure:
    """Return the failure of a function that uses a module which does not exist in processes."""
    verdict = f"the image has no module {module}"
    leaf = wording.Leaf(module, "a module", verdict, cure_of_absent(module), predicate="which is not in the image")
    return Failure(wording.Finding(wording.Kind.GLOBAL, module, "module", "ProcessSend", (leaf,)), hops=(hop,))


def shadowing(module: str, hop: Hop) -> Failure:
    """Return the failure of a function that uses a module of the user that has the name of a module of the standard library."""
    verdict, cure = f"the image has no module {module} of yours", wording.shadowing_cure(module)
    leaf = wording.Leaf(module, "a module", verdict, cure, predicate="which is not in the image")
    return Failure(wording.Finding(wording.Kind.GLOBAL, module, "module", "ProcessSend", (leaf,)), hops=(hop,))


def foreign(package: str, hop: Hop) -> Failure:
    """Return the failure of a function that uses an installed package which may not be in the image."""
    verdict, cure = f"the image has no module {package}", wording.image_cure(package)
    leaf = wording.Leaf(package, "a module", verdict, cure, predicate="which is not in the image")
    return Failure(wording.Finding(wording.Kind.GLOBAL, package, "module", "ProcessSend", (leaf,)), hops=(hop,))


def unseen(modules: Modules, fullname: str, what: str = "function") -> Failure:
    """Return the failure of a function or class whose body mypy does not have."""
    file = modules.files.get(modules.split(fullname)[0])
    # mypy strips bodies by the kind of the search path; the path is the only trace of that which a plugin sees.
    installed = file is not None and names.is_installed(file.path)
    cure = wording.image_cure(names.top(fullname)) if installed else UNSEEN_CURE
    leaf = wording.Leaf(fullname, f"a {what}", UNSEEN_VERDICT, cure, predicate=wording.UNKNOWN_CAPTURES)
    return Failure(wording.Finding(wording.Kind.GLOBAL, fullname, what, "ProcessSend", (leaf,)), Rule.OPAQUE)


def opaque(judge: Judge, fullname: str, declared: Type | None) -> Failure:
    """Return the failure of a variable that holds a callable of which only the type is known."""
    name = fullname.rpartition(".")[2]
    shown = judge.name(declared) if declared is not None else "Callable"
    leaf = wording.Leaf(
        name,
        shown,
        wording.OPAQUE_CALLABLE_VERDICT,
        wording.OPAQUE_CALLABLE_CURE,
        predicate=wording.UNKNOWN_CAPTURES,
    )
    return Failure(wording.Finding(wording.Kind.GLOBAL, name, shown, "ProcessSend", (leaf,)), Rule.OPAQUE)


def decorated(name: str, shown: str) -> Failure:
    """Return the failure of a function wrapped by an opaque decorator."""
    leaf = wording.Leaf(name, shown, DECORATED_VERDICT, DECORATED_CURE, predicate=wording.UNKNOWN_CAPTURES)
    return Failure(wording.Finding(wording.Kind.GLOBAL, name, shown, "ProcessSend", (leaf,)), Rule.OPAQUE)


def elsewhere(name: str, unless: str, hop: Hop) -> Failure:
    """Return the failure of a function that uses a table to which other modules add, unless the entries can be sent."""
    leaf = wording.Leaf(name, "", ELSEWHERE_VERDICT, ELSEWHERE_CURE, predicate=wording.UNKNOWN_CAPTURES)
    finding = wording.Finding(wording.Kind.GLOBAL, name, "function", "ProcessSend", (leaf,))
    return Failure(finding, Rule.OPAQUE, (hop,), unless)


def written(name: str, function: str, hop: Hop) -> Failure:
    """Return the failure of a function that assigns a variable of an outer scope."""
    leaf = wording.Leaf(name, "", wording.WRITTEN_VERDICT, wording.WRITTEN_CURE)
    finding = wording.Finding(wording.Kind.WRITTEN, name, "", "ProcessSend", (leaf,), function=function)
    return Failure(finding, hops=(hop,))


def of_global(
    kind: wording.Kind,
    name: str,
    shown: str,
    trait: str,
    leaves: list[wording.Leaf],
    *,
    hop: Hop,
    rule: Rule = Rule.BAD,
) -> Failure:
    """Return the failure of a function that refers to a spoiling global, class attribute or default."""
    finding = wording.Finding(kind, name, shown, trait, tuple(leaves), function=short(hop.function))
    return Failure(finding, rule, (hop,))


def with_global_cure(leaf: wording.Leaf, kind: wording.Kind) -> wording.Leaf:
    """Return a leaf with the cure for globals: an object with a name that outlives the call can be declared `PerProcess`."""
    shared = kind is not wording.Kind.DEFAULT and leaf.cure.startswith("pass it as an argument, or capture")
    return replace(leaf, cure=wording.GLOBAL_CURE) if shared else leaf


def short(fullname: str) -> str:
    """Return the last part of a full name."""
    return fullname.rpartition(".")[2]
