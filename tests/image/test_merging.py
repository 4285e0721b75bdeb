"""The merger of images: a merged component behaves like the original, and an unsupported one is not changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import wasmtime
from wasmtime import component as wasm_component

from capsend import engine
from capsend.commands import doctor
from capsend.engine.binary import Reader, leb, sections, signed_leb
from capsend.image import Image
from capsend.image.merging import Unmergeable
from capsend.image.merging.instructions import Code, Numbers
from capsend.image.merging.merge import merge
from capsend.image.record import Record
from capsend.image.translating import translate

if TYPE_CHECKING:
    from pathlib import Path

# A component as linked by componentize-py: one module with the memory and the table; one that calls it and fills the
# table; one through which both reach the host; one that completes that; and one that only puts functions into the
# table.
LINKED = """
(component
  (import "host" (func $host (param "text" string) (result u32)))
  (core module $main
    (type $unused (func (param f64)))
    (type $binary (func (param i32 i32) (result i32)))
    (import "" "reset" (func $reset (param i32) (result i32)))
    (memory (export "memory") 2 {limit})
    (table (export "table") 24 funcref)
    (global (export "stack") (mut i32) (i32.const 65536))
    (global (export "memory_base") i32 (i32.const 1024))
    (global (export "table_base") i32 (i32.const 3))
    (global (export "got") (mut i32) (i32.const -7))
    (global $next (mut i32) (i32.const 2048))
    (func $add (export "add") (type $binary) (i32.add (local.get 0) (local.get 1)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3))))
    (func (export "twice") (param i32) (result i32) (call $reset (i32.mul (local.get 0) (i32.const 2))))
    (data (i32.const 1032) "hello\\00\\ff")
    (data (i32.const 16) "\\2a"))
  (core module $library
    (type $nullary (func (result i32)))
    (type $binary (func (param i32 i32) (result i32)))
    (import "env" "memory" (memory 1))
    (import "env" "table" (table 4 funcref))
    (import "env" "stack" (global $stack (mut i32)))
    (import "env" "memory_base" (global $memory_base i32))
    (import "env" "table_base" (global $table_base i32))
    (import "env" "got" (global $got (mut i32)))
    (import "env" "add" (func $add (type $binary)))
    (import "env" "twice" (func $twice (param i32) (result i32)))
    (import "env" "host" (func $host (param i32 i32) (result i32)))
    (global $own (mut i32) (i32.const 5))
    (global (export "address") i32 (i32.add (global.get $memory_base) (i32.const 8)))
    (elem (global.get $table_base) func $six $seven $add)
    (func $six (type $nullary) (i32.const 6))
    (func $seven (type $nullary) (i32.const 7))
    (func $pair (param i32) (result i32 i32) (local.get 0) (i32.const 100))
    (func $pick (param i32) (result i32)
      (block $c (block $b (block $a
        (br_table $a $b $c (local.get 0)))
        (return (i32.const 10)))
        (return (i32.const 20)))
      (i32.const 30))
    (func (export "run") (param i32) (result i32) (local $sum i32) (local f32) (local i64 i64)
      (global.set $stack (i32.sub (global.get $stack) (i32.const 16)))
      (global.set $own (i32.add (global.get $own) (i32.const 1)))
      (memory.copy (i32.const 1100) (i32.add (global.get $memory_base) (i32.const 8)) (i32.const 5))
      (local.set $sum (call_indirect (type $nullary) (i32.add (global.get $table_base) (i32.const 1))))
      (local.set $sum (call_indirect (type $binary) (local.get $sum) (global.get $own) (i32.const 5)))
      (local.set $sum (call $add (local.get $sum) (call $twice (local.get 0))))
      (local.set $sum (call $add (local.get $sum) (call $pick (i32.and (local.get 0) (i32.const 3)))))
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u offset=1031 (i32.const 1))))
      (local.set $sum (i32.add (local.get $sum) (block (result i32 i32) (call $pair (local.get 0))) (i32.add)))
      (local.set $sum (i32.add (local.get $sum) (i32.trunc_sat_f64_s (f64.const 1.5e3))))
      (local.set $sum (i32.add (local.get $sum) (i32.wrap_i64 (i64.const 0x1234567890abcdef))))
      (local.set $sum (i32.add (local.get $sum) (i32x4.extract_lane 2 (v128.const i32x4 1 2 35 4))))
      (local.set $sum (i32.add (local.get $sum) (i8x16.extract_lane_u 15
        (i8x16.shuffle 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 (v128.const i64x2 0 0) (v128.const i64x2 16 -1)))))
      (local.set $sum (i32.add (local.get $sum) (ref.is_null (table.get (i32.const 20)))))
      (local.set $sum (i32.add (local.get $sum) (global.get $got)))
      (local.set $sum (i32.add (local.get $sum) (call $host (i32.const 1100) (i32.const 5))))
      (global.set $stack (i32.add (global.get $stack) (i32.const 16)))
      (i32.add (local.get $sum) (global.get $stack)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "missing") (param i32) (result i32) (call_indirect (type $nullary) (i32.const 21)))
    (func (export "wrong") (param i32) (result i32) (call_indirect (type $nullary) (i32.const 5)))
    (func $deep (export "deep") (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))
    (func $spin (export "spin") (param i32) (result i32) (loop (br 0)) (unreachable)))
  (core module $fills
    (import "env" "table" (table 4 funcref))
    (import "env" "got" (global $got (mut i32)))
    (import "lib" "run" (func (param i32) (result i32)))
    (func $start (global.set $got (i32.const 9)))
    (elem (table 0) (i32.const 15) func 0))
  (core module $shim
    (table (export "$imports") 1 funcref)
    (func (export "0") (param i32 i32) (result i32)
      (call_indirect (param i32 i32) (result i32) (local.get 0) (local.get 1) (i32.const 0))))
  (core module $fixup
    (import "" "$imports" (table 1 funcref))
    (import "" "0" (func (param i32 i32) (result i32)))
    (elem (i32.const 0) func 0))
  (core module $stub (func (export "reset") (param i32) (result i32) (i32.add (local.get 0) (i32.const 3))))
  (core instance $shim (instantiate $shim))
  (core instance $stub (instantiate $stub))
  (core instance $main (instantiate $main (with "" (instance $stub))))
  (alias core export $shim "0" (core func $host_through_shim))
  (alias core export $main "memory" (core memory $memory))
  (alias core export $main "table" (core table $table))
  (alias core export $main "stack" (core global $stack))
  (alias core export $main "memory_base" (core global $memory_base))
  (alias core export $main "table_base" (core global $table_base))
  (alias core export $main "got" (core global $got))
  (alias core export $main "add" (core func $add))
  (alias core export $main "twice" (core func $twice))
  (core instance $env
    (export "memory" (memory $memory)) (export "table" (table $table)) (export "stack" (global $stack))
    (export "memory_base" (global $memory_base)) (export "table_base" (global $table_base)) (export "got" (global $got))
    (export "add" (func $add)) (export "twice" (func $twice)) (export "host" (func $host_through_shim)))
  (core instance $library (instantiate $library (with "env" (instance $env))))
  (alias core export $main "realloc" (core func $realloc))
  (core func $lowered (canon lower (func $host) (memory $memory) (realloc $realloc)))
  (alias core export $shim "$imports" (core table $imports))
  (core instance $completion (export "$imports" (table $imports)) (export "0" (func $lowered)))
  (core instance (instantiate $fixup (with "" (instance $completion))))
  (core instance (instantiate $fills (with "env" (instance $env)) (with "lib" (instance $library))))
  (type $f (func (param "n" u32) (result u32)))
  {lifts}
)
"""
LIFTS = "\n".join(
    f'(alias core export $library "{name}" (core func ${name})) (func (export "{name}") (type $f) (canon lift (core func ${name})))'
    for name in ("run", "grow", "missing", "wrong", "deep", "spin")
)
PLAIN = engine.assemble(LINKED.format(limit="", lifts=LIFTS))


def call(component: bytes, name: str, argument: int) -> tuple[object, list[str]]:
    """Return the results of two calls, or the first line of the error, and the requests to the host."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    with wasmtime.Engine(config) as owner:
        store = wasmtime.Store(owner)
        store.set_epoch_deadline(1)
        store.set_limits(memory_size=8 << 16)
        sent: list[str] = []
        linker = wasm_component.Linker(owner)
        with linker.root() as root:
            root.add_func("host", lambda _store, text: sent.append(text) or len(text))
        instance = linker.instantiate(store, wasm_component.Component(owner, component))
        function = instance.get_func(store, name)
        assert function is not None
        if name == "spin":
            owner.increment_epoch()
        found = []
        try:
            for number in (argument, argument + 1):
                found.append(function(store, number))
                function.post_return(store)
        except wasmtime.WasmtimeError as error:
            found.append(str(error).splitlines()[-1])
        return found, sent


@pytest.mark.parametrize("name", ["run", "grow", "missing", "wrong", "deep", "spin"])
@pytest.mark.parametrize("argument", [0, 1, 2, 7])
def test_merged_component_does_what_it_did(name: str, argument: int) -> None:
    """Results, what the host is sent, the growth of memory up to its limit, traps and interruptions are the same."""
    assert call(merge(PLAIN), name, argument) == call(PLAIN, name, argument)


def test_merged_component_has_three_modules() -> None:
    """All but the two through which the others reach the host become one."""
    kinds = [kind for kind, _, _ in sections(merge(PLAIN))]
    assert (kinds.count(1), [kind for kind, _, _ in sections(PLAIN)].count(1)) == (3, 6)


def test_limit_of_a_memory_stays() -> None:
    """A memory that says itself how large it may become still does when it is merged."""
    limited = engine.assemble(LINKED.format(limit="3", lifts=LIFTS))
    assert call(merge(limited), "grow", 1) == call(limited, "grow", 1) == ([2, 2**32 - 1], [])


def test_tables_are_filled_with_constants() -> None:
    """Every segment of the merged module has a constant position: only then is a table filled on use, not at the start."""
    (start,) = [reader.at for kind, reader, behind in sections(merge(PLAIN)) if kind == 1 and behind - reader.at > 500]
    merged = merge(PLAIN)
    end = next(behind for kind, reader, behind in sections(merged) if reader.at == start)
    (elements,) = [reader for kind, reader, _ in sections(merged, start, end) if kind == 9]
    assert elements.number() == 2
    for offset in (3, 15):
        assert elements.taken(3) == b"\x00\x41" + signed_leb(offset)
        assert elements.byte() == 0x0B
        elements.taken(elements.number())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(canon lower (func $host)", "(canon lower (func $host) async"),
        ('(data (i32.const 16) "\\2a")', '(data (i32.const 16) "\\2a") (func $first) (start $first)'),
        ("(func $six (type $nullary) (i32.const 6))", "(func $six (type $nullary) (i32.const 6)) (memory 1)"),
        ('(global (export "got") (mut i32)', '(table 3 funcref) (global (export "got") (mut i32)'),
        ("(core instance $stub (instantiate $stub))", "(core instance (instantiate $stub)) (core instance $stub (instantiate $stub))"),
    ],
)  # fmt: skip
def test_form_that_is_not_known_is_refused(before: str, after: str) -> None:
    """Another kind of function, a start, a second memory or table, and a module that is instantiated twice are not merged."""
    text = LINKED.format(limit="", lifts=LIFTS)
    assert before in text
    config = wasmtime.Config()
    config.wasm_multi_memory = True
    with pytest.raises(Unmergeable):
        merge(engine.assemble(text.replace(before, after)))


def test_component_of_another_kind_is_refused() -> None:
    """A component without modules, and one without the table of imports, are not merged."""
    for text in ("(component)", "(component (core module $m) (core instance (instantiate $m)))"):
        with pytest.raises(Unmergeable):
            merge(engine.assemble(text))


def test_component_that_cannot_be_merged_is_compiled_as_it_is(tmp_path: Path) -> None:
    """The reason is kept in the image's record, and the doctor names it."""
    text = LINKED.format(limit="", lifts=LIFTS).replace(
        "(memory (export", "(func $first) (start $first) (memory (export"
    )
    compiled, reason = translate(engine.assemble(text), tmp_path / "content")
    assert compiled
    assert reason == "a section of kind 8 in a module"


def test_doctor_names_an_image_that_is_not_merged(copied) -> None:
    """An image that starts slower than it could is reported with the reason."""
    record = Record.load(copied / "image.json")
    data = record.__class__(
        **{name: getattr(record, name) for name in record.__slots__ if name[0] != "_"} | {"unmerged": "why"}
    )
    data.save(copied / "image.json")
    finding = next(finding for finding in doctor.examine() if finding.subject == "image")
    assert finding.state.endswith("since it is not merged into one module of WebAssembly: why")


def test_image_is_merged(template) -> None:
    """The image of this version of componentize-py can be merged; CAPSEND_MERGE=0 runs every test with one that is not."""
    expected = "CAPSEND_MERGE is 0" if os.environ.get("CAPSEND_MERGE") == "0" else ""
    assert Image().record.unmerged == expected


def shifted(by: int) -> Code:
    numbers = range(by, 300 + by)
    return Code(Numbers(types=numbers, functions=numbers, tables=numbers, globals=numbers, elements=numbers))


INSTRUCTIONS = {
    "call": (b"\x10", 1, b""),
    "return_call": (b"\x12", 1, b""),
    "call_indirect": (b"\x11", 2, b""),
    "return_call_indirect": (b"\x13", 2, b""),
    "ref.func": (b"\xd2", 1, b""),
    "global.get": (b"\x23", 1, b""),
    "global.set": (b"\x24", 1, b""),
    "table.get": (b"\x25", 1, b""),
    "table.set": (b"\x26", 1, b""),
    "table.init": (b"\xfc\x0c", 2, b""),
    "elem.drop": (b"\xfc\x0d", 1, b""),
    "table.copy": (b"\xfc\x0e", 2, b""),
    "table.grow": (b"\xfc\x0f", 1, b""),
    "table.size": (b"\xfc\x10", 1, b""),
    "table.fill": (b"\xfc\x11", 1, b""),
    "br_table": (b"\x0e\x03\x10\x11\x12\x10", 0, b""),
    "long br_table": (b"\x0e\x80\x01" + b"\x10" * 129, 0, b""),
    "memory.init": (b"\xfc\x08\x23\x00", 0, b""),
    "i32.const": (b"\x41\x90\x10", 0, b""),
    "f64.const": (b"\x44" + b"\x10" * 8, 0, b""),
    "v128.const": (b"\xfd\x0c" + b"\x10" * 16, 0, b""),
    "i32.load": (b"\x28\x02\x90\x10", 0, b""),
    "v128.load8_lane": (b"\xfd\x54\x00\x10\x10", 0, b""),
    "i8x16.add": (b"\xfd\x6e", 0, b""),
    "i32x4.mul": (b"\xfd\xb5\x01", 0, b""),
    "block with a value": (b"\x02\x7f\x10\x05", 0, b""),
}


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_instruction_is_renumbered(name: str) -> None:
    """References of an instruction get their new numbers, even padded ones; its other operands, which look alike, are unchanged."""
    if name == "block with a value":
        body, expected = b"\0\x02\x7f\x10\x05\x0b", b"\0\x02\x7f\x10" + leb(205) + b"\x0b"
        assert shifted(200).renumber(body) == expected
        return
    code, operands, _ = INSTRUCTIONS[name]
    for old in (b"\x05", b"\x85\x80\x80\x80\x00"):
        body = b"\x01\x02\x7f" + code + old * operands + b"\x1a\x0b"
        assert shifted(200).renumber(body) == b"\x01\x02\x7f" + code + leb(205) * operands + b"\x1a\x0b"


def test_type_of_a_block_stays_a_number() -> None:
    """The type of a block is a signed number: one byte from 0x40 on would be another type."""
    assert shifted(60).renumber(b"\0\x02\x05\x0b") == b"\0\x02\xc1\x00\x0b"
    assert Reader(b"\xc1\x00").signed() == 65


def test_instruction_that_is_not_known_is_refused() -> None:
    """Nothing is renumbered by guessing."""
    with pytest.raises(Unmergeable, match="instruction"):
        shifted(1).renumber(b"\0\x06\x40\x0b")


@pytest.mark.parametrize("number", [0, 1, 63, 64, 127, 128, -1, -64, -65, 2**31 - 1, -(2**31)])
def test_numbers_are_written_as_they_are_read(number: int) -> None:
    """Both forms of numbers come back as they were."""
    assert Reader(signed_leb(number)).signed() == number
    if number >= 0:
        assert Reader(leb(number)).number() == number
