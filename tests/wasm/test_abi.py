"""The interface is written down three times for its users, and each agrees with what the host offers: C header, WIT package, document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import capsend
from capsend import WasmModule
from capsend.engine.imports import SIGNATURES
from capsend.wasm.operations import Code
from tests.guests.languages import ToolchainMissing, compile_c

ABI = Path(capsend.__file__).parent / "wasm" / "abi"
HEADER = (ABI / "capsend.h").read_text(encoding="utf-8")
WIT = (ABI / "process.wit").read_text(encoding="utf-8")
DOCUMENT = Path(__file__).parents[2] / "docs" / "abi.md"
ONE_PAGE = 70
CPP = """
#include <capsend.h>

CAPSEND_PROGRAM

namespace {
template <typename T> T twice(T number) { return number + number; }
}

CAPSEND_ENTRY(doubling) {
    capsend_info info;
    uint8_t number;
    capsend_argument(&info);
    capsend_read(&number, nullptr);
    number = twice(number);
    return capsend_result(&number, sizeof number);
}
"""
FOR_ENTRIES = {"argument", "result", "read"}
"""In WIT these are parameters and results."""


def words_of_the_header() -> dict[str, str]:
    """Return {word: the types of its parameters} as the host writes them."""
    text = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)
    found = re.findall(r"CAPSEND_WORD\((\w+)\)\(([^)]*)\);", text)
    return {name: "".join(map(letter, given.split(","))) if given != "void" else "" for name, given in found}


def letter(parameter: str) -> str:
    return "I" if "int64_t" in parameter else "i"


def test_header_declares_every_word_as_the_host_does():
    """The C header is the whole binding: no word is missing, none is more, and their types are the host's."""
    assert words_of_the_header() == SIGNATURES


def test_header_is_one_page():
    """The header that a newcomer reads before the first process in C has at most one page."""
    assert len(HEADER.splitlines()) <= ONE_PAGE


def test_header_is_one_of_cpp_too(tmp_path):
    """A program in C++ includes it as it is."""
    source = tmp_path / "doubling.cpp"
    source.write_text(CPP, encoding="utf-8")
    try:
        made = compile_c(source, tmp_path / "doubling.wasm")
    except ToolchainMissing as missing:
        pytest.skip(str(missing))
    assert WasmModule.from_file(made).function("doubling")(b"\x15") == b"\x2a"


def test_header_lists_every_code():
    """The codes of the header are those that the host answers."""
    found = {name: int(number) for name, number in re.findall(r"CAPSEND_(\w+) = (-\d+),?\s+/\*", HEADER)}
    assert found == {code.name: code.value for code in Code}


def test_wit_has_every_word_and_every_code():
    """The WIT package has the same words, with WIT's types."""
    words = set(re.findall(r"^  %?(\w+): func\(", WIT, re.MULTILINE))
    assert words | FOR_ENTRIES == set(SIGNATURES)
    codes = re.search(r"enum error \{(.*?)\}", WIT, re.DOTALL)
    assert codes is not None
    assert re.findall(r"^\s+(\w+),", codes[1], re.MULTILINE) == [code.name.lower() for code in Code]


@pytest.mark.parametrize("word", SIGNATURES)
def test_document_says_every_word(word):
    """docs/abi.md has each word with its parameters."""
    assert re.search(rf"\b{word}\(", DOCUMENT.read_text(encoding="utf-8"))
