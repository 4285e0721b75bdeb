"""Planets that pull at each other: floating point arithmetic on small mutable objects.

No pow(), whose last bit depends on the C library, and no sum(), which is exact since Python 3.12 only.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Final

GRAVITY: Final = 4 * math.pi**2
STEP = 0.001


@dataclass
class Vector:
    """A mutable vector of three components."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0

    def __sub__(self, other: Vector) -> Vector:
        return Vector(self.x - other.x, self.y - other.y, self.z - other.z)

    def add_scaled(self, other: Vector, factor: float) -> None:
        self.x += other.x * factor
        self.y += other.y * factor
        self.z += other.z * factor

    @property
    def squared(self) -> float:
        return self.x * self.x + self.y * self.y + self.z * self.z


@dataclass
class Body:
    """A mass at a place with a velocity."""

    name: str
    mass: float
    place: Vector
    velocity: Vector = field(default_factory=Vector)

    def kinetic(self) -> float:
        return self.mass * self.velocity.squared / 2


class System:
    """Bodies, and the steps that move them."""

    def __init__(self, bodies: list[Body]) -> None:
        self.bodies = bodies
        self.pairs = list(itertools.combinations(bodies, 2))

    def advance(self, step: float = STEP) -> None:
        for first, second in self.pairs:
            apart = first.place - second.place
            strength = GRAVITY * step / (apart.squared * math.sqrt(apart.squared))
            first.velocity.add_scaled(apart, -second.mass * strength)
            second.velocity.add_scaled(apart, first.mass * strength)
        for body in self.bodies:
            body.place.add_scaled(body.velocity, step)

    def energy(self) -> float:
        pull = math.fsum(a.mass * b.mass / math.sqrt((a.place - b.place).squared) for a, b in self.pairs)
        return math.fsum(body.kinetic() for body in self.bodies) - GRAVITY * pull


def solar_system() -> System:
    """A sun and three planets on circles."""
    bodies = [Body("sun", 1.0, Vector())]
    for name, mass, distance in [("inner", 3e-6, 1.0), ("giant", 1e-3, 5.2), ("outer", 3e-4, 9.5)]:
        speed = math.sqrt(GRAVITY / distance)
        bodies.append(Body(name, mass, Vector(distance), Vector(y=speed)))
    return System(bodies)


def run(steps: int = 400) -> tuple[float, float, list[Body]]:
    """Return the energy before and after, and the bodies."""
    system = solar_system()
    before = system.energy()
    for _ in range(steps):
        system.advance()
    return before, system.energy(), system.bodies
