"""The parts that spoil a type for a trait, as the judge finds them: seen from the judged value, not yet from a variable."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from capsend_traits import wording


class Rule(enum.Enum):
    """The error code of a spoilt part, whatever the position of the value."""

    BAD = ""
    ANY = "any"
    OPAQUE = "opaque"
    BOUND = "bound"


@dataclass(frozen=True, slots=True)
class Spoil:
    """A part that spoils a type: a `Leaf` whose paths begin at the judged value, not yet at a variable.

    A soft one is about a class that is merely mutable; it is reported after the parts that can never be sent.
    """

    leaf: wording.Leaf
    rule: Rule = Rule.BAD
    soft: bool = False

    def under(self, part: str, *, type_name: str, noun: str, label: str) -> Spoil:
        """Return the same spoilt part, seen from the value that holds it as `part`."""
        step = wording.Step(path="", type=type_name, part=label, noun=noun)
        inner = tuple(replace(below, path=part + below.path) for below in self.leaf.steps)
        return replace(self, leaf=replace(self.leaf, path=part + self.leaf.path, steps=(step, *inner)))

    def of(self, variable: str) -> wording.Leaf:
        """Return the leaf with its paths beginning at a variable."""
        path = variable + self.leaf.path
        steps = tuple(replace(step, path=variable + step.path) for step in self.leaf.steps)
        return replace(self.leaf, path=path, steps=steps, cure=wording.fit(self.leaf.cure, path))
