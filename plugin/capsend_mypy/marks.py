"""The types of capsend that are checked in a special way: at their definition, without captures, or as owned by each process."""

from __future__ import annotations

from mypy.types import Instance, Type, TypeAliasType, get_proper_type

from capsend_mypy import names


def is_spawnable(declared: Type) -> bool:
    """Return whether a type is capsend's `Spawnable`, whose captures were checked when it was made."""
    proper = get_proper_type(declared)
    # By name along the MRO, since this module has no table of modules to take the class from.
    return isinstance(proper, Instance) and any(base.fullname == names.SPAWNABLE for base in proper.type.mro)


def is_host_function(declared: Type) -> bool:
    """Return whether a type is capsend's `HostFunction`, whose wrapped function is never sent."""
    proper = get_proper_type(declared)
    return isinstance(proper, Instance) and proper.type.fullname == names.HOST_FUNCTION


def is_wasm_function(declared: Type) -> bool:
    """Return whether a type is capsend's `WasmFunction`, which captures nothing."""
    proper = get_proper_type(declared)
    return isinstance(proper, Instance) and proper.type.fullname == names.WASM_FUNCTION


def is_per_process(declared: Type) -> bool:
    """Return whether a variable is declared `PerProcess[...]`, perhaps through another alias."""
    # Not with `get_proper_type`, which replaces an alias by its target and loses the name.
    while isinstance(declared, TypeAliasType) and declared.alias is not None:
        if declared.alias.fullname in {names.PER_PROCESS, "capsend.PerProcess"}:
            return True
        declared = declared.alias.target
    return False
