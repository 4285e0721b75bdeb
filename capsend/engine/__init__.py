"""The only package that talks to wasmtime: it loads templates, runs guests made from them and interrupts them."""

from __future__ import annotations

from capsend.engine.interpreter import Guest, Template, assemble, compile_component
from capsend.engine.stores import LARGEST_MEMORY, THREAD_STACK, Interrupted, Trapped, engine, guests

__all__ = [
    "LARGEST_MEMORY",
    "THREAD_STACK",
    "Guest",
    "Interrupted",
    "Template",
    "Trapped",
    "assemble",
    "compile_component",
    "engine",
    "guests",
]
