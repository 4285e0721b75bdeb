"""The only package that talks to wasmtime: it loads templates, runs guests made from them and interrupts them."""

from __future__ import annotations

from capsend.engine.core import CoreInstance, CoreTemplate, compile_core, load_core
from capsend.engine.interpreter import Guest, Template, assemble, compile_component
from capsend.engine.stores import (
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
from capsend.engine.worlds import LARGEST_MESSAGE, WorldInstance, WorldTemplate, compile_world, load_world

__all__ = [
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
    "compile_component",
    "compile_core",
    "compile_world",
    "engine",
    "guests",
    "load_core",
    "load_world",
]
