"""One declaration: a class, its traits, and the reason why it lacks others."""

from __future__ import annotations

import dataclasses
import enum


class Trait(enum.Enum):
    """The traits granted by a declaration: both, `Serializable` alone, or neither."""

    PROCESS_SEND = "ProcessSend"
    SERIALIZABLE = "Serializable"
    NEVER = "Never"


class DeclarationError(ValueError):
    """A declaration file is invalid; the message gives file and line, the mistake, and its correction."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(file, line, problem)
        self.file = file
        self.line = line
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}"


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """One class of a declaration file.

    Args:
        name: module and qualified name, as written: `"collections.deque"`.
        parameters: the type parameters on which the answer depends, in order; empty for an unconditional answer.
        reason: the reason of the answer; fits after "deque is declared not sendable: ".
        cure: the advice of messages, as an imperative; empty when the class has both traits.
        hidden: True if no module has the class as an attribute (`builtins.list_iterator`).
        file: the declaration file.
    """

    name: str
    trait: Trait
    parameters: tuple[str, ...]
    reason: str
    cure: str
    hidden: bool
    file: str
    line: int

    def has(self, trait: Trait) -> bool:
        """Return whether the class has a trait, type parameters permitting; `ProcessSend` implies `Serializable`."""
        return self.trait is trait or (self.trait is Trait.PROCESS_SEND and trait is Trait.SERIALIZABLE)
