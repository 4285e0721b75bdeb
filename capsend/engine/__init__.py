"""The only package that calls wasmtime: it loads templates, and runs and interrupts guests made from them."""

from __future__ import annotations

from capsend import versions

versions.check("wasmtime")  # before the modules below use parts that another version may lack

from capsend.engine.compiling import compile_code, load_code
from capsend.engine.component import LARGEST_MESSAGE, WorldInstance, WorldTemplate
from capsend.engine.core import CoreInstance, CoreTemplate
from capsend.engine.creator import has_slots
from capsend.engine.instance import (
    FORKED,
    LARGEST_MEMORY,
    REFUSED_FEATURES,
    SMALL_STACK,
    THREAD_STACK,
    Interrupted,
    OutOfBounds,
    Trapped,
    engine,
    guests,
)
from capsend.engine.interpreter import Guest, Template, assemble, compile_component
from capsend.engine.locating import survey

__all__ = [
    "FORKED",
    "LARGEST_MEMORY",
    "LARGEST_MESSAGE",
    "REFUSED_FEATURES",
    "SMALL_STACK",
    "THREAD_STACK",
    "CoreInstance",
    "CoreTemplate",
    "Guest",
    "Interrupted",
    "OutOfBounds",
    "Template",
    "Trapped",
    "WorldInstance",
    "WorldTemplate",
    "assemble",
    "compile_code",
    "compile_component",
    "engine",
    "guests",
    "has_slots",
    "load_code",
    "survey",
]
