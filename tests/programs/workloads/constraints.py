"""One-way constraints between variables, planned by strength and carried out in order."""

from __future__ import annotations

import enum
import functools
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any


@functools.total_ordering
class Strength(enum.Enum):
    """The importance of a constraint."""

    REQUIRED = 0
    STRONG = 1
    WEAK = 2

    def __lt__(self, other: Any) -> bool:
        return self.value < other.value

    @classmethod
    def weakest(cls) -> Strength:
        return max(cls)


class Variable:
    """A value that constraints determine."""

    def __init__(self, name: str, value: int = 0) -> None:
        self.name = name
        self.value = value
        self.constraints: list[Constraint] = []
        self.determined_by: Constraint | None = None
        self.strength = Strength.weakest()

    def __repr__(self) -> str:
        return f"{self.name}={self.value}"


class Constraint(ABC):
    """A relation that can be kept by assigning one of its variables."""

    strength: Strength

    def __init__(self, strength: Strength, *variables: Variable) -> None:
        self.strength = strength
        self.variables = variables
        for variable in variables:
            variable.constraints.append(self)

    def choose(self) -> Variable | None:
        """The variable that this constraint may overrule, the weakest first."""
        free = [v for v in self.outputs() if v.determined_by is None or v.strength > self.strength]
        return max(free, key=lambda v: (v.determined_by is None, v.strength), default=None)

    @abstractmethod
    def outputs(self) -> Iterator[Variable]:
        """Yield what it may assign."""

    @abstractmethod
    def apply(self, output: Variable) -> None:
        """Assign one of them."""


class Stay(Constraint):
    """A variable keeps its value."""

    def outputs(self) -> Iterator[Variable]:
        yield from self.variables

    def apply(self, output: Variable) -> None:
        pass


class Edit(Stay):
    """A variable gets a value from outside."""

    def __init__(self, strength: Strength, variable: Variable, value: int) -> None:
        super().__init__(strength, variable)
        self.value = value

    def apply(self, output: Variable) -> None:
        super().apply(output)
        output.value = self.value


class Scale(Constraint):
    """`second = forwards(first)` and back."""

    def __init__(
        self,
        strength: Strength,
        pair: tuple[Variable, Variable],
        *,
        forwards: Callable[[int], int],
        back: Callable[[int], int],
    ) -> None:
        super().__init__(strength, *pair)
        self.forwards, self.back = forwards, back

    def outputs(self) -> Iterator[Variable]:
        first, second = self.variables
        if first.determined_by is not None or second.determined_by is None:
            yield second
        yield first

    def apply(self, output: Variable) -> None:
        first, second = self.variables
        if output is second:
            second.value = self.forwards(first.value)
        else:
            first.value = self.back(second.value)


class Planner:
    """Puts constraints into an order and carries them out."""

    def __init__(self) -> None:
        self.plan: list[tuple[Constraint, Variable]] = []
        self.unsatisfied: list[str] = []

    def add(self, constraint: Constraint) -> None:
        output = constraint.choose()
        if output is None:
            self.unsatisfied.append(type(constraint).__name__)
            return
        overruled, output.determined_by = output.determined_by, constraint
        output.strength = constraint.strength
        self.plan = [(c, v) for c, v in self.plan if c is not overruled]
        self.plan.append((constraint, output))
        if overruled is not None:
            self.add(overruled)

    def execute(self) -> None:
        for constraint, output in self.plan:
            constraint.apply(output)


def chain(length: int) -> tuple[Planner, list[Variable]]:
    """Return variables, each one more than the one before."""
    planner = Planner()
    variables = [Variable(f"v{index}") for index in range(length)]
    planner.add(Edit(Strength.STRONG, variables[0], 10))
    for pair in itertools.pairwise(variables):
        planner.add(Scale(Strength.REQUIRED, pair, forwards=lambda n: n + 1, back=lambda n: n - 1))
    planner.add(Stay(Strength.WEAK, variables[-1]))
    return planner, variables


def run(length: int = 60) -> tuple[list[str], list[str], int]:
    """Return the values before and after an edit, and how many constraints could not be kept."""
    planner, variables = chain(length)
    planner.execute()
    before = [repr(v) for v in variables]
    planner.add(Edit(Strength.REQUIRED, variables[0], 500))
    planner.execute()
    return before, [repr(v) for v in variables], len(planner.unsatisfied)
