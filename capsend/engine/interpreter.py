"""The guest that holds a Python image: its function takes and returns text, and one import reaches the host."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import struct
import threading
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime import _bindings as ffi
from wasmtime import component as wasm_component

from capsend.codec.operations import LARGEST_PAYLOAD
from capsend.engine import capi, creator, wasi
from capsend.engine.component_instance import ComponentInstance, Probe
from capsend.engine.gauge import IMPORT, PAGE
from capsend.engine.instance import LARGEST_MEMORY, Interrupted, engine, running
from capsend.engine.memory import Memory, find_memory, find_signals
from capsend.engine.pictures import put_picture, take_picture
from capsend.engine.place import Place
from capsend.engine.prefault import prefault
from capsend.engine.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from capsend.capabilities.folders import Mount
    from capsend.engine.pictures import Picture

# The operation of `capsend.guest.host_operations` with which a guest only reports the size of its memory.
_END: Final = 0
_WORLD_PARAMETERS: Final = 2
_REST: Final = capi.VALUE - capi.OF
_WORLD: Final = struct.Struct(f"={capi.OF}xI{_REST - 4}x{capi.OF}xQQ{_REST - 16}x")
_GAUGED: Final = struct.Struct(f"{_WORLD.format}{capi.OF}xI{_REST - 4}x")
"""The memory layout of the arguments of the world's import: a number; a text, as its size and address; a number."""


_TEXT: Final = f"B{capi.OF - 1}xQQ{_REST - 16}x"
_TEXTS: Final = struct.Struct(f"={_TEXT}{_TEXT}")
"""The memory layout of the arguments of the image's one function: two texts, each as its kind, size and address."""
_Texts: Final = ffi.wasmtime_component_val_t * _WORLD_PARAMETERS
_Addresses: Final = ctypes.c_char_p * _WORLD_PARAMETERS
_ADDRESSES: Final = struct.Struct("=2Q")


def assemble(text: str) -> bytes:
    """Return the binary form of a module in WebAssembly's text format.

    Raises:
        ValueError: the text is not valid.
    """
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise ValueError(capi.sentence(error)) from None


def compile_component(wasm: bytes) -> bytes:
    """Compile a component to the machine code of this CPU, in the form that `Template` loads.

    Raises:
        ValueError: the bytes are not a component.
    """
    try:
        return bytes(wasm_component.Component(engine(), wasm).serialize())
    except wasmtime.WasmtimeError as error:
        message = f"the component cannot be compiled: {capi.first_line(error)}"
        raise ValueError(message) from None


class Template:
    """A compiled component, loaded and ready to be instantiated any number of times, on any thread."""

    def __init__(
        self,
        path: Path,
        *,
        content: Path | None = None,
        instance: int | None = None,
        written: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Load a file made by `compile_component`.

        Loading maps machine code into this OS process: the caller vouches for the file.

        Args:
            path: the file.
            content: the file with the initial content of its memory; None if the component contains it.
            instance: the number of the instance with the memory, if known; see `capsend.engine.place`.
            written: [(address, bytes)] of the pages to which every process writes.

        Raises:
            ValueError: the file was made by another wasmtime, with other settings, or for another CPU.
        """
        try:
            self.component: wasm_component.Component = wasm_component.Component.deserialize_file(engine(), str(path))
            self.linker: wasm_component.Linker = _make_linker(writing=False)
        except wasmtime.WasmtimeError as error:
            message = f"{path} cannot be loaded: {capi.first_line(error)}"
            raise ValueError(message) from None
        export = self.component.get_export_index("run")
        if export is None:
            message = f"{path} has no function to run"
            raise ValueError(message)
        self.export = export
        self.slots: Slots | None = None if content is None else Slots(content)
        self.instance = instance
        self.written: tuple[tuple[int, int], ...] = tuple(written)
        self._signals: tuple[tuple[int, int], ...] | None = None

    @functools.cached_property
    def writing_linker(self) -> wasm_component.Linker:
        """The linker of guests that may write files: their output streams are wasmtime's."""
        return _make_linker(writing=True)

    @property
    def knows_signals(self) -> bool:
        """True once `signals` is known; finding it takes a moment, once."""
        return self._signals is not None

    def signals(self) -> tuple[tuple[int, int], ...]:
        """Return the memory words through which a guest learns of an interrupt; () if they cannot be found."""
        if self._signals is None:

            def find() -> None:
                self._signals = find_signals(lambda host: Guest(self, memory=LARGEST_MEMORY, host=host))

            # On another thread, as this one may be running a guest.
            finder = threading.Thread(target=find, name="capsend signals")
            finder.start()
            finder.join()
        return self._signals or ()

    @functools.cached_property
    def probe(self) -> Probe:
        """The probe for guests with files."""
        return Probe(engine())


def _make_linker(*, writing: bool) -> wasm_component.Linker:
    linker = wasi.make_linker(engine(), writing=writing)
    with linker.root() as root:
        wasi.add_function(root, "host", _on_host)
        wasi.add_function(root, IMPORT, _on_host)
    return linker


class Guest(ComponentInstance):
    """One instance of an image; `run` calls its one function.

    Attributes:
        memory: bytes of its memory at its last host operation.
        place: its memory in place; None if that was not found.
    """

    def __init__(
        self,
        template: Template,
        *,
        memory: int,
        host: Callable[[int, str], str] | None = None,
        mounts: Sequence[Mount] = (),
    ) -> None:
        """Instantiate a template.

        Args:
            template: the template.
            memory: bytes that the guest can have.
            host: called with each host operation, (number, payload) -> answer.
            mounts: host folders that the guest sees.

        Raises:
            OSError: a folder cannot be opened.
        """
        super().__init__(engine())
        self.template = template
        self.held: creator.Held = creator.Held(template.slots)
        self.host = host
        self.memory: int = 0
        self.seen: Memory | None = None
        self.picture: Picture | None = None
        self._returned = False
        try:
            self.configure(memory, mounts)
            writes = any(mount.write for mount in mounts)
            linker = template.writing_linker if writes else template.linker
            # A guest in a slot needs less time than getting the GIL back, and no code of an image runs meanwhile.
            quick = {} if template.slots is None else {"call": capi.instantiate}
            creator.making.held = self.held
            instance = self.instantiate(linker, template.component, **quick)
            self._function = self.export(instance, template.export)
            self.place: Place | None = None
            if template.instance is not None:
                store = self._function._anon_1.store_id  # noqa: SLF001 - the C interface does not name this part
                self.place = Place(self.context, store=store, instance=template.instance)
            if mounts:
                self.attach(template.probe)
        except BaseException:
            self.close()
            raise

    def run(self, program: str, call: str) -> str:
        """Call the guest's one function; both texts and the answer are ASCII.

        The thread must have `THREAD_STACK` bytes of stack, unless the guest is trusted not to recurse deeply.

        Raises:
            Trapped: the guest faulted, exhausted its stack, or ended itself.
            Interrupted: `interrupt` was called, before or meanwhile.
        """
        if self.interrupted:
            raise Interrupted
        # These two bytes objects own the buffers and outlive the call: wasmtime copies the content into the guest.
        first, second = program.encode("ascii"), call.encode("ascii")
        places = _ADDRESSES.unpack(_Addresses(first, second))
        arguments = _Texts.from_buffer_copy(
            _TEXTS.pack(capi.STRING, len(first), places[0], capi.STRING, len(second), places[1])
        )
        result = ffi.wasmtime_component_val_t()
        running.guest = self
        self.is_running: bool = True
        try:
            self.rest()
            self.finish(
                capi.func_call(ctypes.byref(self._function), self.context, arguments, 2, ctypes.byref(result), 1)
            )
            self._returned = True
        finally:
            running.guest = None
            self.is_running = False
            if self.place is not None:
                self.memory = self.place.size
        return capi.take_text(result.of.string)

    def close(self) -> None:
        """Free the instance and give back its memory; a second call does nothing."""
        super().close()
        self.held.give_back()

    def delete_store(self, store: Any) -> None:
        """Free the store; its memory, which would take longest, is in a slot."""
        if self.template.slots is None:
            super().delete_store(store)
        else:
            capi.store_delete(store)

    def prefault(self) -> None:
        """Copy, before the guest runs, the pages to which every process writes."""
        slot = self.held.main
        if self.place is not None and (slot is None or not slot.is_warm):
            prefault(self.place.base, self.template.written)

    def find_memory(self) -> None:
        """Find the guest's memory, before it runs code that is not its image's.

        From then on `interrupt_python` reaches code that waits for nothing.
        """
        if self.place is None:
            self.seen = find_memory(self)
        else:
            self.seen, self.memory = Memory(self.place.base), self.place.size
        self.on_disturbance: Callable[[], object] | None = self._set_signals

    def take_picture(self) -> Picture | None:
        """Return a picture of the guest's memory, taken while no call runs; None if none can be taken."""
        return take_picture(self)

    def put_picture(self, picture: Picture) -> bool:
        """Continue from a picture of another instance of the image, before the guest has run anything.

        Returns:
            Whether this was possible.
        """
        slot = self.held.main
        if slot is not None:
            slot.is_used_up = True  # parts of the picture are mapped
        return put_picture(self, picture)

    def _set_signals(self) -> None:
        """Let Python see a pending interrupt; called on the guest's thread."""
        if self.seen is not None:
            for address, bits in self.template.signals():
                with contextlib.suppress(OSError):
                    self.seen.set_bits(address, bits)

    def rest(self) -> None:
        """Finish the last call, so that nothing of it remains.

        Not part of `run`, as most guests are called once and dropped.
        """
        if self._returned:
            self._returned = False
            self.finish(ffi.wasmtime_component_func_post_return(ctypes.byref(self._function), self.context))


@capi.plain_host_function
def _on_host(
    _data: int, _context: int, _type: int, arguments: int, count: int, results: int, _results: int
) -> int | None:
    """The world's one import: (operation, payload) -> answer; a gauge adds the pages of memory as a third argument."""
    guest = running.guest
    if count > _WORLD_PARAMETERS:
        operation, size, start, pages = _GAUGED.unpack(ctypes.string_at(arguments, _GAUGED.size))
        guest.memory = pages * PAGE
    else:
        operation, size, start = _WORLD.unpack(ctypes.string_at(arguments, _WORLD.size))
    if guest.interrupted or guest.host is None:
        return capi.error("interrupted")
    try:
        if size > LARGEST_PAYLOAD:
            return capi.error("it sent too much at once")
        text = ctypes.string_at(start, size).decode("utf-8", "replace") if size else ""
        answer = guest.host(operation, text).encode("ascii") if operation != _END else b""
    except BaseException as failure:  # noqa: BLE001 - raised again by `finish`, after wasmtime has returned
        guest.failure = failure
        guest.call_afterwards()
        return capi.error("host function failed")
    if guest.interrupted:
        guest.call_afterwards()
        return capi.error("interrupted")
    if guest.disturbed:
        guest.tell_disturbance()
    capi.put_text(results, answer)
    if guest.afterwards:
        guest.call_afterwards()
    return 0
