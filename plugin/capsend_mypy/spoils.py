"""The parts that spoil a trait for a type, as found by the judge: relative to the judged value, not to a variable."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from capsend_traits import wording


class Rule(enum.Enum):
    """The error code of a spoiling part, whatever the position of the value."""

    BAD = ""
    ANY = "any"
    OPAQUE = "opaque"
    BOUND = "bound"


@dataclass(frozen=True, slots=True)
class Spoil:
    """A part that spoils a type: a `Leaf` whose paths begin at the judged value, not at a variable.

    A soft one is about a class that is merely mutable; it is reported after parts that can never be sent.
    """

    leaf: wording.Leaf
    rule: Rule = Rule.BAD
    soft: bool = False

    def under(self, part: str, *, type_name: str, noun: str, label: str) -> Spoil:
        """Return the same spoiling part relative to a value that holds it as `part`."""
        step = wording.Step(path="", type=type_name, part=label, noun=noun)
        inner = tuple(replace(below, path=part + below.path) for below in self.leaf.steps)
        return replace(self, leaf=replace(self.leaf, path=part + self.leaf.path, steps=(step, *inner)))

    def of(self, variable: str) -> wording.Leaf:
        """Return the leaf with paths that begin at a variable."""
        path = variable + self.leaf.path
        steps = tuple(replace(step, path=variable + step.path) for step in self.leaf.steps)
        return replace(self.leaf, path=path, steps=steps, cure=wording.fit(self.leaf.cure, path))
