"""Values that their holder only reads: globals that the import fills, attributes of classes, defaults, and variables of closures."""

from __future__ import annotations

import ast

import pytest
from capsend_traits.constants import Constant, still_made
from capsend_traits.held import Held, reads_attribute


def held(code: str, *, is_imported: bool = True) -> Held:
    return Held(ast.parse(code), module="pkg.mod", is_imported=is_imported)


FILLS = [
    "X = {}\nX['a'] = 1",
    "X = {}\nX.update(a=1)\nX |= {'b': 2}\ndel X['b']",
    "X = {}\nfor n in range(3): X[n] = n",
    "X = {}\nfor n in range(3):\n  if n: X.setdefault(n, n)",
    "if a:\n  X = {}\nelse:\n  X = dict(a=1)",
    "X = {n: n for n in range(3)}\nX = dict(X)",
    "X = load()",
    "X, Y = {}, []",
    "X = {}\ndef _add(n): X[n] = n\n_add(1)\n_add(2)",
    "X = {}\nclass C:\n  X['a'] = 1",
    "X = {}\ntry:\n  X['a'] = 1\nexcept KeyError:\n  pass",
]
CHANGES = [
    "X = {}\ndef add(n): X[n] = n",
    "X = {}\ndef add(n): X[n] = n\nadd(1)",
    "X = {}\ndef _add(n): X[n] = n\ndef later(): _add(1)",
    "X = {}\ndef _add(n): X[n] = n\nADD = _add\n_add(1)",
    "X = {}\n@deco\ndef _add(n): X[n] = n\n_add(1)",
    "X = {}\ndef _add(n):\n  X[n] = n\n  yield\n_add(1)",
    "X = {}\ndef f():\n  global X\n  X = 1",
    "X = {}\nX['a'] = 1\ndef f(): return X",
    "X = {}\nkeep(X)",
    "X = {}\nclass C:\n  Y = X",
    "X = {}\nY = X\ndef f(): Y['a'] = 1",
    "X = other\nother['a'] = 1",
    "X = conf.table",
    "X = [1]\nfor X in (): pass",
    "X = {}\nfrom a import *",
]


@pytest.mark.parametrize("code", FILLS)
def test_the_import_may_fill_a_global(code: str) -> None:
    """Code that runs once, before other code sees the module, is part of making the value."""
    assert held(f"{code}\ndef f(k): return X[k]").of_module("X", 1, is_mapping=True) is not None


@pytest.mark.parametrize("code", CHANGES)
def test_what_can_run_later_must_only_read_it(code: str) -> None:
    """One function that changes it, or lets it go, is enough."""
    assert held(code).of_module("X", 1, is_mapping=True) is None


def test_a_script_that_goes_on_may_not_fill_a_global() -> None:
    """Its next statement may change the value once more."""
    assert held("X = {}\nX['a'] = 1", is_imported=False).of_module("X", 1, is_mapping=True) is None
    assert held("X = {'a': 1}", is_imported=False).of_module("X", 1, is_mapping=True) is not None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("def f(self): return self.X['a'], len(self.X)", True),
        ("def f(self): return getattr(self, 'X')['a']", True),
        ("X['b'] = 1", True),
        ("def f(self): self.X['a'] = 1", False),
        ("def f(self): self.X = {}", False),
        ("def f(self): return self.X", False),
        ("def f(self): setattr(self, 'X', 1)", False),
        ("def f(self): return getattr(self, 'X')", False),
        ("Y = X\n  def f(self): return self.Y", False),
    ],
)
def test_an_attribute_of_a_class_is_read_by_whoever_names_it(body: str, *, expected: bool) -> None:
    """The module does nothing else with attributes of that name."""
    found = held(f"class C:\n  X = {{'a': 1}}\n  {body}").of_class("C", "X", 1, is_mapping=True)
    assert (found is not None) is expected


def test_another_module_only_reads_attributes_of_that_name() -> None:
    """A function is asked about by itself."""
    of = Constant("X", ast.parse("{}", mode="eval").body, 1, is_mapping=True)
    assert reads_attribute(ast.parse("def f(c): return c.X['a']"), "X", of=of)
    assert not reads_attribute(ast.parse("def f(c): c.X['a'] = 1"), "X", of=of)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(x={}): return x.get(1)", True),
        ("def f(*, x={}): return {**x}", True),
        ("def f(x={}): x[1] = 2", False),
        ("def f(x={}): return x", False),
        ("def f(x={}):\n  def g(): return x\n  return g", False),
        ("Y = {}\ndef f(x=Y): return x.get(1)", False),
        ("def f(x=make()): return x.get(1)", False),
    ],
)
def test_a_default_is_a_display_that_the_function_reads(code: str, *, expected: bool) -> None:
    """A default that has another name is somebody else's."""
    line = code[: code.index("def f")].count("\n") + 1
    assert (held(code).of_default(("f", line), "x", 1, is_mapping=True) is not None) is expected


GUARD = """
def around(function):
    seen = set()
    def f(key):
        if key in seen: return None
        {before}
        try:
            return function(key)
        finally:
            {after}
    return f
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("seen.add(key)", "seen.discard(key)", True),
        ("seen.add(key)", "seen.remove(key)", True),
        ("seen.add(key)", "pass", False),
        ("pass", "seen.discard(key)", False),
        ("seen.add(key)", "seen.discard(function)", False),
        ("seen.add(key); key = 1", "seen.discard(key)", False),
        ("seen.add(key); print(key)", "seen.discard(key)", False),
        ("seen.add(key)", "seen.clear()", False),
        ("seen.add(key)", "key = 1; seen.discard(key)", False),
        ("print(key in seen)", "print(len(seen))", True),
    ],
)
def test_a_set_may_be_changed_for_the_time_of_a_call(before: str, after: str, *, expected: bool) -> None:
    """An entry added right before the `try` is removed in the `finally`."""
    found = held(GUARD.format(before=before, after=after)).of_cell(("f", 4), "seen", 1, is_mapping=False)
    assert (found is not None) is expected
    if found is not None and found.is_lent:
        assert still_made(found, set(), leaf=lambda _: True, lookup={}.__getitem__)
        assert not still_made(found, {1}, leaf=lambda _: True, lookup={}.__getitem__)
