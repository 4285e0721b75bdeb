"""The failures that hold unless a module's source refutes them: those about constants, defaults and unread attributes."""

from __future__ import annotations

import ast
import builtins
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from capsend_traits import Trait
from mypy import nodes as n

from capsend_mypy import asked, constants, dispatch, names, summary, syntax
from capsend_mypy.solving import AND, OF_DEFAULT, OF_GENERIC, OF_NAME, OF_SUBCLASSES, Direct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from capsend_traits.constants import Constant
    from mypy.types import Type

    from capsend_mypy.modules import Modules
    from capsend_mypy.summary import Failure

BUILT_IN: Final = frozenset(dir(builtins))


class Settling:
    """Reads sources of modules.

    Reading is slow, so it is done only for failures that would otherwise be reported.

    Args:
        modules: finds the object of a full name.
        open_failures: returns the unsettled failures of a function by its full name.
    """

    def __init__(self, modules: Modules, open_failures: Callable[[str], tuple[Failure, ...]]) -> None:
        self.modules = modules
        self.open_failures = open_failures

    def settled(self, failures: Iterable[Failure], here: str = "") -> Iterator[Failure]:
        """Yield the failures, without those about constants of modules.

        Args:
            failures: the failures.
            here: the module of an object without a full name, such as a lambda.
        """
        waiting, seen = list(failures), set()
        while waiting:
            failure = waiting.pop(0)
            reader = self.modules.split(failure.hops[-1].function)[0] or here if failure.unless else ""
            is_of_spawned = (
                failure.unless.startswith(OF_DEFAULT) and len(failure.hops) == 2 and not failure.hops[0].function
            )
            held = self._refuted(failure.unless, reader, here) if failure.unless and not is_of_spawned else None
            if held is None:
                yield failure
            elif (failure.unless, failure.hops[0]) not in seen:
                seen.add((failure.unless, failure.hops[0]))
                waiting += [
                    replace(inner, hops=(*failure.hops, *inner.hops))
                    for function in held
                    for inner in self.open_failures(function)
                ]

    def _refuted(self, unless: str, reader: str, here: str) -> list[str] | None:
        """Return the failures that replace a failure; None if the failure stays."""
        if unless.startswith(OF_SUBCLASSES):
            return self._subclasses(unless.removeprefix(OF_SUBCLASSES))
        if unless.startswith(OF_GENERIC):
            return self._implementations(unless.removeprefix(OF_GENERIC))
        if unless.startswith(OF_DEFAULT):
            return self._held_by_default(unless.removeprefix(OF_DEFAULT))
        if unless.startswith(OF_NAME):
            name, _, rest = unless.removeprefix(OF_NAME).partition(AND)
            if not self._is_read(name, here):
                return []
            return self._refuted(rest, reader, here) if rest else None
        return self._held_by_constant(unless, reader)

    def _subclasses(self, fullname: str) -> list[str]:
        """Return the subclasses of a class in all modules of the build."""
        base = self.modules.symbol(fullname)
        found: list[str] = []
        for module, file in self.modules.files.items():
            if not file.is_stub and not self.modules.is_in_image(module):
                # mypy has no list of subclasses: the tables of all user modules are searched.
                found += [info.fullname for info in _classes(file.names, module) if base in info.mro[1:]]
        return found

    def _is_read(self, name: str, here: str) -> bool:
        """Return whether user code that a process may have calls a method, as far as the sources show.

        Args:
            name: the method.
            here: the module of the check; empty to ask all modules of the build.
        """
        state = self.modules.state
        state.asked.add(name)
        seen = self._imported(here) if here else set(self.modules.files)
        modules = [self.modules.files[module] for module in sorted(seen) if self._is_users(module)]
        self.modules.consulted.update(file.fullname for file in modules)
        if asked.is_of_operator(name):
            return any(asked.reads(state.sources.text(file), name, state.sources.used(file)) for file in modules)
        return any(asked.reads(state.sources.text(file), name, frozenset()) for file in modules)

    def _is_users(self, module: str) -> bool:
        file = self.modules.files[module]
        if file.is_stub and not names.source_beside(file.path, module):
            return False
        return not (self.modules.is_in_image(module) or names.is_installed(file.path))

    def _imported(self, module: str) -> set[str]:
        """Return a module with all modules that it imports, directly or not: no other module's code can run for it."""
        seen, waiting = {module}, [module]
        while waiting:
            known = self.modules.summary(waiting.pop())
            for name in known.imports if known is not None else ():
                # A package is imported before its modules.
                ends = [at for at, letter in enumerate(name) if letter == "."]
                inside = {name[:end] for end in (*ends, len(name))} & self.modules.files.keys() - seen
                seen |= inside
                waiting += inside
        return seen

    def _implementations(self, generic: str) -> list[str]:
        """Return other modules' registrations with a generic function, as names for `open_failures`."""
        key = dispatch.local_name(generic)
        found: list[str] = []
        for module, file in self.modules.files.items():
            known = self.modules.state.summaries.get(module)
            # Searching the text saves decoding the summaries of all cached modules.
            text = summary.attached(file) if known is None and file.is_cache_skeleton else None
            if text is not None and key in text:
                known = self.modules.summary(module)
            if known is not None and (key in known.refs or key in (known.verdicts or ())):
                found.append(f"{module}.{key}")
        return found

    def _held_by_constant(self, fullname: str, reader: str) -> list[str] | None:
        """Return the functions and classes in a constant of a module.

        None if the variable is not a constant, or if its reader does more than read it.
        """
        module, name = self.modules.split(fullname)
        node, file = self.modules.symbol(fullname), self.modules.files.get(module)
        sources, is_global = self.modules.state.sources, "." not in name
        self.modules.consulted |= {module, reader} & set(self.modules.files)
        # A variable without a type: mypy has reported that it needs an annotation, or has not come to it.
        if file is None or not isinstance(node, n.Var) or node.type is None:
            return None
        constant = sources.constant(file, name) if is_global else sources.class_constant(file, name)
        is_filled = constant is None and is_global
        if is_filled:
            constant = sources.filled(file, name, node.type)
        if constant is None:
            return None
        if reader != module:
            other = self.modules.files.get(reader)
            if other is None or not (
                sources.only_reads(other, lambda full: self.modules.symbol(full) is node, constant)
                if is_global
                else sources.only_reads_attribute(other, constant)
            ):
                return None
        if is_filled:  # the expression does not make all of it
            return self._classes_of_contents(node.type, constant.depth, [])
        held = self._leaves(module, constant, name if is_global else "")
        known = [function for function in held if function]
        return known if None not in held else self._classes_of_contents(node.type, constant.depth, known)

    def _leaves(self, module: str, constant: Constant, table_: str = "") -> list[str | None]:
        """Return the functions and classes in a display.

        A name is empty if every process has the object, and None if the source does not show it.

        Args:
            module: the module of the display.
            constant: the constant that it makes.
            table_: the global that holds it, if lambdas in it are registered under that name.
        """
        found: list[str | None] = []
        for leaf in constants.leaves(constant.value):
            if isinstance(leaf, ast.Lambda) and table_:
                found.append(f"{module}.{summary.lambdas_of(table_)}")
            elif isinstance(leaf, ast.Call) and self._is_plain_partial(module, leaf):
                found.append(self._function_at(module, leaf.args[0]))
            elif not constants.is_literal(leaf):
                found.append(self._function_at(module, leaf))
        return found

    def _is_plain_partial(self, module: str, call: ast.Call) -> bool:
        """Return whether an expression is `functools.partial(function, ...)` with only literals as other arguments."""
        named = constants.dotted(call.func)
        node = self.modules.symbol(f"{module}.{named}") if named else None
        given = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
        return (
            isinstance(node, n.TypeInfo)
            and node.fullname == "functools.partial"
            and bool(call.args)
            and all(map(constants.is_literal, given))
        )

    def _held_by_default(self, described: str) -> list[str] | None:
        """Return the functions and classes in a default that its function only reads; None otherwise."""
        fullname, _, parameter = described.partition("(")
        module, local = self.modules.split(fullname)
        file = self.modules.files.get(module)
        constant = self.modules.state.sources.default(file, local, parameter) if file is not None else None
        held = self._leaves(module, constant) if constant is not None else [None]
        return [function for function in held if function] if None not in held else None

    def _classes_of_contents(self, declared: Type, depth: int, known: list[str]) -> list[str] | None:
        """Judge the elements of a constant by the types of its containers, if the source does not show the elements."""
        found = Direct()
        for inner in constants.contents(declared, depth):
            spoils, classes = self.modules.judged(inner, Trait.PROCESS_SEND, found)
            if spoils or constants.is_container(inner):
                return None
            known += sorted(classes)
        self.modules.consulted |= found.modules
        return known

    def _function_at(self, module: str, leaf: ast.expr) -> str | None:
        """Return the full name of the function or class that an expression names; empty if every process has it."""
        name = constants.dotted(leaf)
        first = name.partition(".")[0]
        if first in BUILT_IN and first not in self.modules.files[module].names:
            return ""
        node = self.modules.symbol(f"{module}.{name}") if name else None
        if not isinstance(node, n.TypeInfo | n.OverloadedFuncDef) and syntax.function_of(node) is None:
            return None
        return "" if node is None or self.modules.is_in_image(node.fullname) else node.fullname


def _classes(table: n.SymbolTable, around: str) -> Iterator[n.TypeInfo]:
    for name, symbol in table.items():
        info = symbol.node
        if isinstance(info, n.TypeInfo) and info.fullname == f"{around}.{name}":
            yield info
            yield from _classes(info.names, info.fullname)
