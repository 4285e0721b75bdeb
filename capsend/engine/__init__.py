"""The only package that talks to wasmtime: it loads templates, runs guests made from them and interrupts them."""

from __future__ import annotations

from capsend.engine.code import compile_code, load_code
from capsend.engine.core import CoreInstance, CoreTemplate
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
from capsend.engine.worlds import LARGEST_MESSAGE, WorldInstance, WorldTemplate

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
    "compile_code",
    "compile_component",
    "engine",
    "guests",
    "load_code",
]
