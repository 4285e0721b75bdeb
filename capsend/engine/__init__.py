"""The only package that talks to wasmtime: it loads templates, runs guests made from them and interrupts them."""

from __future__ import annotations

from capsend.engine.core import CoreInstance, CoreTemplate, compile_core, load_core
from capsend.engine.interpreter import Guest, Template, assemble, compile_component
from capsend.engine.stores import (
    LARGEST_MEMORY,
    SMALL_STACK,
    THREAD_STACK,
    Interrupted,
    OutOfBounds,
    Trapped,
    engine,
    guests,
)

__all__ = [
    "LARGEST_MEMORY",
    "SMALL_STACK",
    "THREAD_STACK",
    "CoreInstance",
    "CoreTemplate",
    "Guest",
    "Interrupted",
    "OutOfBounds",
    "Template",
    "Trapped",
    "assemble",
    "compile_component",
    "compile_core",
    "engine",
    "guests",
    "load_core",
]
