"""Components of the WIT world `capsend:process`: compiled, checked, instantiated and called."""

from __future__ import annotations

import ctypes
import functools
import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

from wasmtime import _bindings as ffi
from wasmtime import component as wasm_component

from capsend.engine import capi, component_values, wasi
from capsend.engine.component_instance import ComponentInstance, Probe
from capsend.engine.core import listed, shown
from capsend.engine.instance import REASONS, Exited, Interrupted, engine, running
from capsend.exceptions import WasmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.capabilities.folders import Mount
    from capsend.engine.component_values import Writer

PACKAGE: Final = "capsend:process/"
INTERFACE: Final = "capsend:process/operations@1.0.0"

LARGEST_MESSAGE: Final = 1 << 20
"""Bytes of the largest message, argument or result of a component: in transit each byte costs the host 32."""

_WASI: Final = re.compile(r"wasi:(cli|clocks|filesystem|io|random|sockets)/[a-z0-9-]+@0\.2\.\d+$")
_TABLE_ELEMENTS: Final = 200_000
_TABLES: Final = 20
_INSTANCES: Final = 100
_MEMORIES: Final = 1
_SHOWN_TYPE: Final = 200

_ERRORS: Final = "enum{malformed,forged,denied,closed,full,refused,large,timeout,many,unsendable,missing,limit,raised}"
_KINDS: Final = "enum{bytes,value,down,exit}"
_REASONS: Final = "enum{normal,failed,killed,limit,trap}"
_MESSAGE: Final = f"record{{kind:{_KINDS},data:list<u8>,text:string,handles:list<u32>,reason:{_REASONS}}}"
_FAILURE: Final = f"record{{error:{_ERRORS},words:string}}"
_alive: Final[list[Any]] = []  # callbacks; kept until the interpreter's exit, as the linkers refer to them
_ENTRY: Final = "(list<u8>,list<u32>)->result<list<u8>,string>"

_write_message: Final = component_values.write_record(
    ("kind", component_values.write_name),
    ("data", component_values.write_bytes),
    ("text", component_values.write_text),
    ("handles", component_values.write_numbers),
    ("reason", component_values.write_name),
)
_write_failure: Final = component_values.write_record(
    ("error", component_values.write_name), ("words", component_values.write_text)
)

# {word: (its type, the writer of a success, the writer of a failure)}; None writes nothing.
_Word = tuple[str, "Writer | None", "Writer | None"]
WORDS: Final[dict[str, _Word]] = {
    "receive": (f"(list<u8>,option<u64>)->result<{_MESSAGE},{_ERRORS}>", _write_message, component_values.write_name),
    "send": (f"(u32,list<u8>,list<u32>,option<u64>)->result<_,{_ERRORS}>", None, component_values.write_name),
    "say": (f"(u32,string,list<u32>,option<u64>)->result<_,{_ERRORS}>", None, component_values.write_name),
    "call": (
        f"(u32,list<u8>,list<u32>,option<u64>)->result<{_MESSAGE},{_ERRORS}>",
        _write_message,
        component_values.write_name,
    ),
    "invoke": (f"(u32,list<u8>)->result<{_MESSAGE},{_FAILURE}>", _write_message, _write_failure),
    "spawn": (
        f"(option<u32>,string,list<u8>,list<u32>,flags{{link,monitor}})->result<u32,{_ERRORS}>",
        component_values.write_number,
        component_values.write_name,
    ),
    "own": ("()->u32", component_values.write_number, None),
    "drop": (f"(u32)->result<_,{_ERRORS}>", None, component_values.write_name),
    "monitor": (f"(u32)->result<_,{_ERRORS}>", None, component_values.write_name),
    "unmonitor": (f"(u32)->result<_,{_ERRORS}>", None, component_values.write_name),
    "link": (f"(u32)->result<_,{_ERRORS}>", None, component_values.write_name),
    "unlink": (f"(u32)->result<_,{_ERRORS}>", None, component_values.write_name),
    "trap": ("(bool)", None, None),
    "kill": (f"(u32)->result<_,{_ERRORS}>", None, component_values.write_name),
    "describe": (f"(u32)->result<string,{_ERRORS}>", component_values.write_text, component_values.write_name),
    "write": (f"(enum{{output,error}},list<u8>)->result<_,{_ERRORS}>", None, component_values.write_name),
    "sleep": ("(u64)", None, None),
}


class WorldTemplate:
    """A compiled component, ready to be instantiated any number of times, on any thread.

    Attributes:
        entries: the names of the functions with which a process can begin, sorted.
        memory: 0, as a component does not declare its initial memory.
    """

    is_component: Final = True
    code: Final = wasm_component.Component
    largest: Final = LARGEST_MESSAGE
    memory: Final = 0

    def __init__(self, component: wasm_component.Component, name: str) -> None:
        """Check the imports and exports of a component.

        Raises:
            WasmError: the component does not fit the interface.
        """
        self.name = name
        kind = component.type
        imports, exports = (
            {key: each.ty for key, each in side(engine(small=True)).items()} for side in (kind.imports, kind.exports)
        )
        _check_imports(imports, name)
        functions = {key: each for key, each in exports.items() if isinstance(each, wasm_component.FuncType)}
        self.functions: tuple[str, ...] = tuple(sorted(functions))
        self.entries: tuple[str, ...] = tuple(key for key in self.functions if _shape(functions[key]) == _ENTRY)
        if not self.entries:
            raise WasmError(
                f"{name} is a component of another world: it exports {listed(sorted(exports)) or 'nothing'}, and no function that a process "
                "can begin with. Export one of type func(argument: list<u8>, handles: list<u32>) "
                "-> result<list<u8>, string>; see docs/abi.md"
            )
        self.indices: dict[str, capi.Kept] = {
            key: capi.Kept(component.get_export_index(key), capi.export_index_delete) for key in self.entries
        }
        self.component: capi.Kept = capi.Kept(component, capi.component_delete)

    def check_entry(self, entry: str) -> None:
        """Refuse a name that is not that of an entry function.

        Raises:
            WasmError: the component has no such function, or the function is of another type.
        """
        if entry in self.entries:
            return
        if entry in self.functions:
            raise WasmError(
                f"{shown(entry)} of {self.name} cannot be spawned: a process begins with a func(argument: list<u8>, "
                "handles: list<u32>) -> result<list<u8>, string>; see docs/abi.md"
            )
        raise WasmError(
            f"{self.name} exports no function {shown(entry)}. It has: {listed(self.entries)}. Export it, or spawn one of these"
        )

    def instance(
        self,
        *,
        memory: int,
        host: Callable[[str, Any], Any],
        mounts: Sequence[Mount] = (),
        variables: Mapping[str, str] | None = None,
    ) -> WorldInstance:
        """Make the instance of one process; it runs no code of the guest before `run`."""
        return WorldInstance(self, memory=memory, host=host, mounts=mounts, variables=variables)


def _check_imports(imports: Mapping[str, Any], name: str) -> None:
    for key, kind in imports.items():
        if _WASI.match(key):
            continue
        if not key.startswith(PACKAGE):
            raise WasmError(
                f"{name} imports {shown(key)}, which capsend does not provide. A process has {INTERFACE} (docs/abi.md) and WASI 0.2"
            )
        if not key.startswith("capsend:process/operations@1."):
            raise WasmError(
                f"{name} was built for {shown(key)}; this capsend speaks {INTERFACE}. Build it for that one"
            )
        for word, each in kind.exports(engine(small=True)).items():
            if isinstance(each.ty, wasm_component.FuncType):
                _check_word(name, word, _shape(each.ty))


def _check_word(name: str, word: str, shape: str) -> None:
    known = WORDS.get(word)
    if known is None:
        raise WasmError(f"{name} imports {shown(word)} from {INTERFACE}, which has: {', '.join(WORDS)}")
    if known[0] != shape:
        raise WasmError(
            f"{name} imports {word} from {INTERFACE} with another type: {shape[:_SHOWN_TYPE]}. Build it with the WIT of this capsend"
        )


def _shape(kind: wasm_component.FuncType) -> str:
    result = kind.result
    params = ",".join(_type(each) for _, each in kind.params)
    return f"({params})" + ("" if result is None else f"->{_type(result)}")


def _type(kind: Any) -> str:
    """Return a type in the words of WIT, with the content of records and enumerations in place of their names."""
    match type(kind).__name__:
        case "ListType":
            return f"list<{_type(kind.element)}>"
        case "OptionType":
            return f"option<{_type(kind.payload)}>"
        case "ResultType":
            good, bad = (_type(each) if each is not None else "_" for each in (kind.ok, kind.err))
            return f"result<{good},{bad}>"
        case "RecordType":
            return f"record{{{','.join(f'{name}:{_type(each)}' for name, each in kind.fields)}}}"
        case "EnumType":
            return f"enum{{{','.join(kind.names)}}}"
        case "FlagsType":
            return f"flags{{{','.join(kind.names)}}}"
        case other:
            return other.lower()


@functools.cache
def _linker(*, writing: bool) -> wasm_component.Linker:
    linker = wasi.make_linker(engine(small=True), writing=writing)
    with linker.root() as root, root.add_instance(INTERFACE) as instance:
        for word, (_, good, bad) in WORDS.items():
            callback = _callback(word, good, bad)
            _alive.append(callback)
            wasi.add_function(instance, word, callback)
    return linker


@functools.cache
def _probe() -> Probe:
    return Probe(engine(small=True))


def _callback(word: str, good: Writer | None, bad: Writer | None) -> Any:
    """Return the callback of one word. It never raises: see `capsend.engine.instance`."""

    def call(
        _data: Any, _context: Any, _type: Any, arguments: Any, count: int, results: Any, wanted: int
    ) -> int | None:
        guest = running.guest
        if guest.interrupted:
            return capi.error("interrupted")
        try:
            args = [component_values.read(arguments[index], most=LARGEST_MESSAGE + 1) for index in range(count)]
            is_ok, answer = guest.host(word, args)
            if wanted and bad is not None:
                component_values.write_result(results[0], answer, writer=good if is_ok else bad, is_ok=is_ok)
            elif wanted and good is not None:
                good(results[0], answer)
        except BaseException as failure:  # noqa: BLE001 - raised again by `finish`, after wasmtime has returned
            guest.failure = failure
            return capi.error("host function failed")
        return capi.error("interrupted") if guest.interrupted else 0

    return capi.host_function(call)


class WorldInstance(ComponentInstance):
    """One instance of a component; `run` makes it and calls its entry."""

    reasons: ClassVar[tuple[tuple[str, str], ...]] = (
        ("`unreachable` instruction", "it reached an instruction that must not be reached, as abort() does"),
        ("memory minimum size", "the environment's memory is smaller than the component needs to start"),
        ("memory count too high", "it has more memories than a process may have"),
        (
            "fuel allocated for hostcalls",
            f"it passed more than the {LARGEST_MESSAGE} bytes that a component can pass at a time",
        ),
        *REASONS,
    )

    longest_output: ClassVar[int] = LARGEST_MESSAGE
    exits: ClassVar[bool] = True

    def __init__(
        self,
        template: WorldTemplate,
        *,
        memory: int,
        host: Callable[[str, Any], Any],
        mounts: Sequence[Mount],
        variables: Mapping[str, str] | None,
    ) -> None:
        super().__init__(engine(small=True))
        self.host = host
        self.memory = 0
        self._template = template
        self._writes = any(mount.write for mount in mounts)
        self._has_files = bool(mounts)
        try:
            memories = _MEMORIES + bool(mounts)  # one memory is the probe's, which is made first
            capi.store_limiter(self.store, memory, _TABLE_ELEMENTS, _INSTANCES, _TABLES, memories)
            self.watch()
            self.set_wasi(mounts, variables)
        except BaseException:
            self.close()
            raise

    def run(self, entry: str, argument: bytes, handles: Sequence[int]) -> tuple[bool, bytes]:
        """Make the instance and call an entry.

        The thread must have `SMALL_STACK` bytes of stack.

        Returns:
            (True, the result) or (False, the message of the error).

        Raises:
            Trapped: the guest faulted, exhausted its stack, or ended itself.
            Interrupted: `interrupt` was called, before or meanwhile.
        """
        if self.interrupted:
            raise Interrupted
        try:
            return self._run(entry, argument, handles)
        except Exited as exited:
            return not exited.code, f"exit code {exited.code}".encode() if exited.code else b""

    def _run(self, entry: str, argument: bytes, handles: Sequence[int]) -> tuple[bool, bytes]:
        if self._has_files:
            self.attach(_probe())
        instance = self.instantiate(_linker(writing=self._writes), self._template.component)
        function = self.export(instance, self._template.indices[entry])
        arguments = (ffi.wasmtime_component_val_t * 2)()
        component_values.write_bytes(arguments[0], argument)
        component_values.write_numbers(arguments[1], handles)
        result = ffi.wasmtime_component_val_t()
        running.guest = self
        try:
            self.finish(
                ffi.wasmtime_component_func_call(
                    ctypes.byref(function), self.context, arguments, 2, ctypes.byref(result), 1
                )
            )
        finally:
            running.guest = None
            for slot in arguments:
                ffi.wasmtime_component_val_delete(ctypes.byref(slot))
        try:
            is_ok, told = component_values.read(result, most=LARGEST_MESSAGE + 1)
        finally:
            ffi.wasmtime_component_val_delete(ctypes.byref(result))
        return is_ok, bytes(told or b"")

    def keep_output(self, data: bytes) -> None:
        """Write output that the guest wrote through WASI to the process's standard output."""
        self.host("write", ["output", data])
