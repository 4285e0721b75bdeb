"""The part of BLAS that numpy is built with for processes: compiled as for numpy, alone, and compared with numpy of the host."""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import wasmtime

from capsend.image.native import toolchain
from capsend.image.native.driver import TARGET
from capsend.image.native.recipes import FOLDER, recipe_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ROWS, COLUMNS = 101, 102
PLAIN, TRANSPOSED, CONJUGATED = 111, 112, 113
UPPER, LOWER = 121, 122
KINDS: Final = {"s": "f4", "d": "f8", "c": "c8", "z": "c16"}
ALLOCATOR: Final = """
static char pool[1 << 22] __attribute__((aligned(16)));
int is_poor = 0;
void make_poor(int poor) { is_poor = poor; }
void *malloc(unsigned long size) { return is_poor || size > sizeof pool ? 0 : pool; }
void free(void *memory) { (void)memory; }
"""
"""The one block that a product asks for, or none."""


class Blas:
    """The library, in a separate memory."""

    def __init__(self, path: Path) -> None:
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        self.exports: Any = wasmtime.Instance(self.store, wasmtime.Module.from_file(engine, str(path)), []).exports(
            self.store
        )
        self.memory = self.exports["memory"]
        self.first = self.memory.data_len(self.store)
        self.memory.grow(self.store, 800)
        self.free = self.first

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function; arrays are passed by address, and hold afterwards what the function made of them."""
        self.free, written, told = self.first, [], []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                address = self.free
                self._at(address, argument)[:] = argument.reshape(-1)
                self.free += (argument.nbytes + 31) // 16 * 16
                written.append((address, argument))
                told.append(address)
            else:
                told.append(argument)
        result = self.exports[name](self.store, *told)
        for address, argument in written:
            argument[...] = self._at(address, argument).reshape(argument.shape)
        return result

    def _at(self, address: int, like: NDArray[Any]) -> NDArray[Any]:
        base = ctypes.addressof(self.memory.data_ptr(self.store).contents) + address
        return np.frombuffer((ctypes.c_char * like.nbytes).from_address(base), like.dtype)


@pytest.fixture(scope="module")
def blas(tmp_path_factory: pytest.TempPathFactory) -> Blas:
    """The library as the recipe compiles it, with an allocator of the tests."""
    folder = tmp_path_factory.mktemp("blas")
    recipe = recipe_of("numpy")
    assert recipe is not None
    (library,) = recipe.libraries
    (folder / "allocator.c").write_text(ALLOCATOR)
    environment = os.environ | {name: str(folder / "zig") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    sources = [(str(FOLDER / name), library.flags) for name in library.files] + [("allocator.c", ("-O1",))]
    objects = [f"{number}.o" for number in range(len(sources))]
    for (source, flags), made in zip(sources, objects, strict=True):
        command = [toolchain.zig(), "cc", *TARGET, "-c", *flags, "-Wall", "-Wextra", "-Werror", source, "-o", made]
        subprocess.run(command, cwd=folder, env=environment, check=True)
    link = [toolchain.zig(), "wasm-ld", "--no-entry", "--export-all", *objects, "-o", "blas.wasm"]
    subprocess.run(link, cwd=folder, env=environment, check=True)
    return Blas(folder / "blas.wasm")


def numbers(shape: tuple[int, ...], kind: str, *, seed: int) -> NDArray[Any]:
    """Return small integers: sums of their products are exact, in any order."""
    random = np.random.default_rng(seed)
    whole = random.integers(-3, 4, shape).astype(KINDS[kind])
    return whole + 1j * random.integers(-3, 4, shape).astype("f4") if kind in "cz" else whole  # type: ignore[no-any-return]


def factor(value: complex, kind: str) -> Any:
    return np.array([value], KINDS[kind]) if kind in "cz" else float(value.real)


def stored(matrix: NDArray[Any], order: int, transpose: int) -> tuple[NDArray[Any], int]:
    """Return (memory, distance of its rows or columns) from which a function reads the matrix, with two numbers of padding in each."""
    given = {PLAIN: matrix, TRANSPOSED: matrix.T, CONJUGATED: matrix.conj().T}[transpose]
    across = given if order == ROWS else given.T
    padded = np.full((across.shape[0], across.shape[1] + 2), np.nan, across.dtype)
    padded[:, :-2] = across
    return padded, padded.shape[1]


SIZES: Final = {
    "one number": (1, 1, 1),
    "less than a tile": (2, 9, 5),
    "tiles": (17, 6, 40),
    "no depth": (8, 33, 0),
    "blocks": (110, 500, 260),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "poor"), [*((name, False) for name in SIZES), ("tiles", True)])
def test_products_of_matrices(blas: Blas, kind: str, name: str, poor: bool) -> None:
    """In both orders, transposed or not, with factors, without memory for copies; a factor of zero overwrites NaN; nothing beside is written."""
    rows, columns, depth = size = SIZES[name]
    a, b = numbers((rows, depth), kind, seed=1), numbers((depth, columns), kind, seed=2)
    modes = [(ROWS, PLAIN, PLAIN), (COLUMNS, TRANSPOSED, CONJUGATED)]
    if depth < 100:
        modes = list(
            itertools.product((ROWS, COLUMNS), (PLAIN, TRANSPOSED, CONJUGATED), (PLAIN, TRANSPOSED, CONJUGATED))
        )
    blas.exports["make_poor"](blas.store, int(poor))
    for order, left, right in modes:
        for alpha, beta in ((1, 0), (2 - 1j, 1), (1, 3 + 1j)):
            start = numbers((rows, columns), kind, seed=3)
            c, stride = stored(start if beta else np.full_like(start, np.nan), order, PLAIN)
            x, x_stride = stored(a, order, left)
            y, y_stride = stored(b, order, right)
            one, other = factor(alpha, kind), factor(beta, kind)
            blas.call(f"cblas_{kind}gemm", order, left, right, *size, one, x, x_stride, y, y_stride, other, c, stride)
            expected = np.asarray(one) * (a @ b) + (np.asarray(other) * start if beta else 0)
            found = c[:, :-2] if order == ROWS else c[:, :-2].T
            np.testing.assert_array_equal(found, expected)
            assert np.isnan(c[:, -2:]).all()
    blas.exports["make_poor"](blas.store, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("triangle", [UPPER, LOWER])
@pytest.mark.parametrize("size", [(1, 4), (21, 5), (70, 30)], ids=str)
def test_product_with_the_own_transpose_writes_one_triangle(
    blas: Blas, kind: str, triangle: int, size: tuple[int, int]
) -> None:
    """The numbers of the other one are left alone, in both orders."""
    a = numbers(size, kind, seed=1)
    for order, transpose in itertools.product((ROWS, COLUMNS), (PLAIN, TRANSPOSED)):
        x, x_stride = stored(a, order, transpose)
        c = np.full((size[0], size[0]), 7, KINDS[kind])
        one, other = factor(1, kind), factor(2, kind)
        blas.call(f"cblas_{kind}syrk", order, triangle, transpose, *size, one, x, x_stride, other, c, size[0])
        found = c if order == ROWS else c.T
        inside = np.triu(np.ones_like(c)) if triangle == UPPER else np.tril(np.ones_like(c))
        np.testing.assert_array_equal(found, np.where(inside, a @ a.T + 14, 7))


@pytest.mark.parametrize("kind", KINDS)
def test_products_with_vectors(blas: Blas, kind: str) -> None:
    """A matrix times a vector, dot products and sums, with steps, backwards too."""
    a, x, y = numbers((13, 37), kind, seed=1), numbers((37,), kind, seed=2), numbers((13,), kind, seed=3)
    one, other = factor(2 + 1j, kind), factor(3 - 1j, kind)
    for order, transpose, step in itertools.product((ROWS, COLUMNS), (PLAIN, TRANSPOSED, CONJUGATED), (1, 2, -1)):
        matrix, stride = stored(a, order, transpose)
        shape = (13, 37) if transpose == PLAIN else (37, 13)
        spread, result = _spread(x, step), _spread(y, step)
        blas.call(f"cblas_{kind}gemv", order, transpose, *shape, one, matrix, stride, spread, step, other, result, step)
        expected = np.asarray(one) * (a @ x) + np.asarray(other) * y
        np.testing.assert_array_equal(_gathered(result, step), expected)
        total = _spread(x, step)
        blas.call(f"cblas_{kind}axpy", 37, one, spread, step, total, step)
        np.testing.assert_array_equal(_gathered(total, step), np.asarray(one) * x + x)
        for name, expected in _dots(kind, x, x[::-1].copy()).items():
            out = np.zeros(1, KINDS[kind])
            arguments = (37, spread, step, _spread(x[::-1].copy(), step), step)
            found = blas.call(name, *arguments, *([out] if kind in "cz" else []))
            assert (out[0] if kind in "cz" else found) == expected


def _dots(kind: str, x: NDArray[Any], y: NDArray[Any]) -> dict[str, Any]:
    if kind in "cz":
        return {f"cblas_{kind}dotu_sub": x @ y, f"cblas_{kind}dotc_sub": np.vdot(x, y)}
    return {f"cblas_{kind}dot": x @ y}


def _spread(vector: NDArray[Any], step: int) -> NDArray[Any]:
    """Lay numbers out with a step; a negative one begins at the end."""
    laid = np.zeros(len(vector) * abs(step), vector.dtype)
    laid[:: abs(step)] = vector[::-1] if step < 0 else vector
    return laid


def _gathered(laid: NDArray[Any], step: int) -> NDArray[Any]:
    taken = laid[:: abs(step)]
    return taken[::-1] if step < 0 else taken
