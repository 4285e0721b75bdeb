"""Core modules: compiled, checked, instantiated and called; access to their memory within its bounds."""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Any, ClassVar, Final

import wasmtime
from wasmtime import _bindings as ffi
from wasmtime import _ffi as ffi_constants

from capsend.engine import capi
from capsend.engine.imports import MODULE, SIGNATURES, VERSION, define_imports
from capsend.engine.instance import REASONS, Exited, Instance, Interrupted, OutOfBounds, engine, running
from capsend.engine.preview1 import MODULE as PREVIEW1
from capsend.engine.preview1 import define_preview1
from capsend.exceptions import WasmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.capabilities.folders import Mount

_TABLE_ELEMENTS: Final = 100_000
_TABLES: Final = 4
_VERSIONS: Final = "capsend_abi_"
_ENTRY_RESULTS: Final = ((), ("i32",))
_MEMORY: Final = ffi_constants.WASMTIME_EXTERN_MEMORY.value
_LONGEST_SHOWN: Final = 60
_MOST_SHOWN: Final = 20
_Trap: Final = ctypes.POINTER(ffi.wasm_trap_t)


class CoreTemplate:
    """A compiled core module, linked and ready to be instantiated any number of times, on any thread.

    Attributes:
        entries: the names of the functions with which a process can begin, sorted.
        functions: the names of all exported functions, sorted.
        memory: bytes of its initial memory.
    """

    is_component: Final = False
    code: Final = wasmtime.Module
    largest: Final = None
    """The most bytes of an argument, message or result, apart from the environment's limits; None for no such bound."""

    def __init__(self, module: wasmtime.Module, name: str) -> None:
        """Check the imports and exports of a module, and link it.

        Args:
            module: the compiled module.
            name: its name in messages.

        Raises:
            WasmError: the module does not fit the interface.
        """
        self.name = name
        exports = {export.name: export.type for export in module.exports}
        functions = {key: kind for key, kind in exports.items() if isinstance(kind, wasmtime.FuncType)}
        _check_imports(module, name)
        uses_capsend = any(each.module == MODULE for each in module.imports)
        self.has_wasi: bool = any(each.module == PREVIEW1 for each in module.imports)
        _check_exports(name, exports, uses_capsend=uses_capsend)
        self.functions: tuple[str, ...] = tuple(sorted(key for key in functions if not key.startswith(_VERSIONS)))
        self.entries: tuple[str, ...] = tuple(key for key in self.functions if _is_entry(functions[key]))
        self.initializes: bool = "_initialize" in self.entries
        self.answers: frozenset[str] = frozenset(key for key in self.entries if functions[key].results)
        kind = exports.get("memory")
        self.memory: int = kind.limits.min << 16 if isinstance(kind, wasmtime.MemoryType) else 0
        self.pre: Any = ctypes.POINTER(ffi.wasmtime_instance_pre_t)()
        linker = _linker(preview1=self.has_wasi)
        try:
            capi.check(ffi.wasmtime_linker_instantiate_pre(linker.ptr(), module.ptr(), ctypes.byref(self.pre)))
        except wasmtime.WasmtimeError as error:
            raise WasmError(f"{name} cannot be used: {capi.last_cause(str(error))}") from None

    def check_entry(self, entry: str) -> None:
        """Refuse a name that is not that of an entry function.

        Raises:
            WasmError: the module has no such function, or the function takes arguments.
        """
        if entry in self.entries:
            return
        if entry in self.functions:
            raise WasmError(
                f"{entry} of {self.name} cannot be spawned: a process begins with a function without parameters whose result is "
                "an i32 or none. It gets its argument from the word `argument`; see docs/abi.md"
            )
        there_are = listed(self.entries) or "none that a process can begin with"
        raise WasmError(
            f"{self.name} exports no function {entry}. It has: {there_are}. Export it, or spawn one of these"
        )

    def instance(
        self,
        *,
        memory: int,
        host: Callable[[str, tuple[int, ...]], int],
        mounts: Sequence[Mount] = (),
        variables: Mapping[str, str] | None = None,
    ) -> CoreInstance:
        """Make the instance of one process; it runs no code of the guest before `run`."""
        return CoreInstance(self, memory=memory, host=host, mounts=mounts, variables=variables)

    def __del__(self, delete: Any = capi.instance_pre_delete) -> None:
        # A default argument: at the interpreter's exit, the names of modules go first.
        pre = getattr(self, "pre", None)
        if pre:
            delete(pre)


def _check_imports(module: wasmtime.Module, name: str) -> None:
    for each in module.imports:
        if each.module == PREVIEW1 and isinstance(each.type, wasmtime.FuncType):
            continue
        if each.module != MODULE:
            raise WasmError(
                f"{name} imports {shown(each.name)} from {shown(each.module)}, which capsend does not provide. A process has the modules {MODULE} "
                f"(docs/abi.md) and {PREVIEW1}"
            )
        signature = SIGNATURES.get(each.name or "")
        if signature is None:
            raise WasmError(f"{name} imports {shown(each.name)} from {MODULE}, which has: {', '.join(SIGNATURES)}")
        kinds = {"i": "i32", "I": "i64"}
        wanted = [kinds[letter] for letter in signature], ["i32"]
        if not isinstance(each.type, wasmtime.FuncType) or _shape(each.type) != wanted:
            raise WasmError(
                f"{name} imports {shown(each.name)} from {MODULE} with another type than ({', '.join(wanted[0])}) -> i32. "
                "Declare it as docs/abi.md does"
            )


def shown(name: str | None) -> str:
    """Return a printable form of a name that a module chose."""
    text = name or "a nameless thing"
    return (text if text.isprintable() else ascii(text)[1:-1])[:_LONGEST_SHOWN]


def listed(names: Sequence[str]) -> str:
    """Return the first few of such names."""
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(map(shown, names[:_MOST_SHOWN])) + more


def _shape(kind: wasmtime.FuncType) -> tuple[list[str], list[str]]:
    return [str(each) for each in kind.params], [str(each) for each in kind.results]


def _check_exports(name: str, exports: dict[str, Any], *, uses_capsend: bool) -> None:
    versions = sorted(key for key in exports if key.startswith(_VERSIONS))
    if versions and f"{_VERSIONS}{VERSION}" not in versions:
        built = listed([key.removeprefix(_VERSIONS) for key in versions])
        raise WasmError(
            f"{name} was built for version {built} of the interface; this capsend speaks version {VERSION}. Build it for that one"
        )
    if not uses_capsend:
        return
    if not versions:
        raise WasmError(
            f"{name} does not state the version of the interface that it was built for. Export a function {_VERSIONS}{VERSION}, "
            "as CAPSEND_PROGRAM of capsend.h does"
        )
    if not isinstance(exports.get("memory"), wasmtime.MemoryType):
        raise WasmError(f"{name} exports no memory, which its calls of {MODULE} need. Export it as `memory`")


def _is_entry(kind: wasmtime.FuncType) -> bool:
    params, results = _shape(kind)
    return not params and tuple(results) in _ENTRY_RESULTS


@functools.cache
def _linker(*, preview1: bool) -> wasmtime.Linker:
    linker = wasmtime.Linker(engine(small=True))
    if preview1:
        define_preview1(linker)
    define_imports(linker)
    return linker


class CoreInstance(Instance):
    """One instance of a core module; `run` makes it and calls its entry, `load` and `store` reach its memory from host operations."""

    exits: ClassVar[bool] = True
    reasons: ClassVar[tuple[tuple[str, str], ...]] = (
        ("`unreachable` instruction", "it reached an instruction that must not be reached, as abort() does"),
        ("memory minimum size", "the environment's memory is smaller than the module needs to start"),
        ("memory count too high", "it has more memories than a process may have"),
        ("table minimum size", "its tables are larger than a process may have"),
        *REASONS,
    )

    def __init__(
        self,
        template: CoreTemplate,
        *,
        memory: int,
        host: Callable[[str, tuple[int, ...]], int],
        mounts: Sequence[Mount],
        variables: Mapping[str, str] | None,
    ) -> None:
        super().__init__(engine(small=True))
        self.host = host
        self._template = template
        self.exported_memory: Any = None
        self.has_memory: bool = False
        self.has_files: bool = bool(mounts)
        self.probe: Any = None
        self.memory: int = template.memory
        """Bytes of its memory at its last host operation."""
        try:
            capi.store_limiter(self.store, memory, _TABLE_ELEMENTS, 2, _TABLES, 1)
            self.watch()
            if template.has_wasi:
                self.set_wasi(mounts, variables)
        except BaseException:
            self.close()
            raise

    def run(self, entry: str) -> int:
        """Make the instance and call an entry.

        Returns:
            The exit code; 0 if the entry returns none.

        The thread must have `SMALL_STACK` bytes of stack.

        Raises:
            Trapped: the guest faulted, exhausted its stack, or ended itself.
            Interrupted: `interrupt` was called, before or meanwhile.
        """
        if self.interrupted:
            raise Interrupted
        running.guest = self
        try:
            instance = ffi.wasmtime_instance_t()
            trap = _Trap()
            error = ffi.wasmtime_instance_pre_instantiate(
                self._template.pre, self.context, ctypes.byref(instance), ctypes.byref(trap)
            )
            self.finish(error, trap)
            if self._template.initializes and entry != "_initialize":
                self._call(instance, "_initialize")
            return self._call(instance, entry)
        except Exited as exited:
            return exited.code
        finally:
            running.guest = None

    def _call(self, instance: Any, name: str) -> int:
        text = name.encode()
        found = ffi.wasmtime_extern_t()
        if not capi.instance_export_get(self.context, ctypes.byref(instance), text, len(text), ctypes.byref(found)):
            raise AssertionError(name)
        slots = (ffi.wasmtime_val_raw_t * 1)()
        trap = _Trap()
        error = ffi.wasmtime_func_call_unchecked(
            self.context, ctypes.byref(found.of.func), slots, 1, ctypes.byref(trap)
        )
        self.finish(error, trap)
        return slots[0].i32 if name in self._template.answers else 0

    # --- within host operations ---

    def find_memory(self, caller: Any) -> None:
        """Find the guest's memory; called before the first operation."""
        found = ffi.wasmtime_extern_t()
        if capi.caller_export_get(caller, b"memory", 6, ctypes.byref(found)) and int(found.kind) == _MEMORY:
            self.exported_memory = found.of.memory
        self.has_memory = True

    def check(self, pointer: int, size: int) -> int:
        """Return the host's address of a guest's pointer, after checking the length; valid until the guest runs again.

        Raises:
            OutOfBounds: the bytes are not within the guest's present memory.
        """
        if self.exported_memory is None:
            raise OutOfBounds
        memory = ctypes.byref(self.exported_memory)
        # No overflow: these are Python ints, neither is negative, and they are compared with the size that wasmtime
        # reports now.
        self.memory = capi.memory_data_size(self.context, memory)
        if pointer + size > self.memory:
            raise OutOfBounds
        address: int = capi.memory_data(self.context, memory)
        return address + pointer

    def load(self, pointer: int, size: int) -> bytes:
        """Copy bytes out of the guest's memory.

        Raises:
            OutOfBounds: some of the bytes are not within the memory.
        """
        address = self.check(pointer, size)
        return ctypes.string_at(address, size) if size else b""

    def save(self, pointer: int, data: bytes) -> None:
        """Copy bytes into the guest's memory.

        Raises:
            OutOfBounds: some of the bytes would not be within the memory.
        """
        address = self.check(pointer, len(data))
        if data:
            ctypes.memmove(address, data, len(data))
