"""Constants of modules: names with a mutable value that no code of the module writes, mutates or lets escape."""

from __future__ import annotations

import ast
import contextlib
import textwrap
from typing import Any

import pytest
from capsend_traits.constants import Constant, constants, every_use_reads, reads_only, still_made
from hypothesis import given
from hypothesis import strategies as st

READS = [
    "print(X[0])",
    "print('a' in X, 'b' not in X, X == [], X is None)",
    "for v in X: print(v)",
    "Y = [v for v in X if v]",
    "Y = {v: k for k, v in enumerate(X)}",
    "Y = len(X), sorted(X), tuple(X), min(X), max(X, key=str), any(X), all(X), list(zip(X, X))",
    "Y = sorted(X, key=len), list(map(str, X)), list(filter(None, X)), list(reversed(X)), sum(X)",
    "Y = X.get('a'), X.keys(), X.items(), X.values(), X.copy(), X.index(1), X.count(2)",
    "Y = X.union(a), X.difference(a), X.intersection(a), X.issubset(a), X.isdisjoint(a)",
    "Y = [*X], {**X}, (*X, 1), f(*X), f(**X)",
    "Y = X + [1], [1] + X, X | a, X & a, X - a, X * 2",
    "Y = ', '.join(X), f'{X}', '%s' % X, str(X), repr(X)",
    "def f(): return X[1:]",
    "def f(k): return X[k]",
    "def f(k): return k in X or X.get(k, 0)",
    "def f(): yield from sorted(X)",
    "def f():\n  y = X\n  return y[0]",
    "def f(X): X.append(1); return X",
    "def f():\n  X = []\n  X.append(1)\n  return X",
    "def f():\n  global X\n  return X[0]",
    "f = lambda X: X.pop()",
    "g = [X.append for X in ()]",
    "class C:\n  X = 1\n  def f(self): return self.X",
    "class C:\n  def X(self): return 1",
    "def f():\n  for X in (): X.clear()",
    "def f():\n  import X\n  return X",
    "def f():\n  with open('a') as X: return X",
    "def f():\n  try: pass\n  except ValueError as X: return X",
    "def f(a):\n  match a:\n    case [X, *_]: return X",
    "def f(a):\n  if (X := a): return X",
    "def f():\n  def g():\n    nonlocal X\n    X = 2\n  X = 1\n  return X",
    "def f():\n  X = 1\n  class C:\n    def g(self): return X\n  return C",
    "assert X, 'empty'",
    "if not X: pass",
    "import bisect\ndef f(v): return bisect.bisect_left(X, v)",
    "from random import choice\ndef f(): return choice(X)",
    "def f(ws): return sorted(ws, key=X.get), list(map(X.__getitem__, ws))",
    "def f(o): return vars(o), exec('1', {})",
    "def f(d):\n  d |= X\n  return d",
    "__all__ = ['X']",
    "if __name__ == '__main__': print(X)",
    "X: list[int]",
    "Y = X",
    "a, b = X, 1",
]

WRITES = [
    "X.append(1)",
    "X[0] = 1",
    "X[0] += 1",
    "X += [1]",
    "del X[0]",
    "del X",
    "X = []",
    "X.sort()",
    "X.update({})",
    "X.setdefault(1, 2)",
    "X.__setitem__(0, 1)",
    "for X in (): pass",
    "for X[0] in (): pass",
    "with a as X: pass",
    "import X",
    "from a import X",
    "from a import b as X",
    "from a import *",
    "def X(): pass",
    "class X: pass",
    "(X := 1)",
    "try: pass\nexcept ValueError as X: pass",
    "match a:\n  case X: pass",
    "match a:\n  case {'k': X}: pass",
    "match a:\n  case {**X}: pass",
    "match a:\n  case [*X]: pass",
    "match X:\n  case y: pass",
    "def f():\n  global X\n  X = 1",
    "def f():\n  global X\n  for X in (): pass",
    "def f():\n  global X\n  def X(): pass",
    "def f():\n  global X\n  import X",
    "def f():\n  if a:\n    global X\n    X = 1",
    "class C:\n  global X\n  X = 1",
    "def f():\n  global X\n  X.append(1)",
    "def f(): [X := 1 for a in ()]\n[X := 1 for a in ()]",
    "def f(): X.append(1)",
    "def f():\n  y = X\n  y.append(1)",
    "def f():\n  y = X\n  y += [1]",
    "def f():\n  y = X\n  def g(): y.append(1)\n  return g",
    "def f():\n  y = z = X\n  return z",
    "def f(): return X",
    "def f(): yield X",
    "def f(): yield from f2(X)",
    "f = lambda: X",
    "def f(): return (X, 1)",
    "def f(): return [X]",
    "def f(): return {'a': X}",
    "def f(): return X if a else None",
    "def f(): return X or []",
    "def f(): return (y := X)",
    "def f(a=X): pass",
    "def f(*, a=X): pass",
    "f = lambda a=X: 1",
    "@deco(X)\ndef f(): pass",
    "class C:\n  attr = X",
    "class C:\n  X = X",
    "class C:\n  X.append(1)",
    "class C(metaclass=X): pass",
    "class C:\n  def f(self): self.x = X",
    "Y = [X]\ndef f(): return Y",
    "Y = [X]\nY[0].append(1)",
    "a.b = X",
    "Y = X\nY.append(1)",
    "a, b = X, 1\na.append(1)",
    "a[0] = X",
    "a[X] = 1",
    "unknown(X)",
    "unknown(a=X)",
    "o.method(X)",
    "sep.join(X)",
    "setattr(a, 'x', X)",
    "sum([], X)",
    "max(X, [])\ndef f(): return max(X, [1])",
    "def f(): return next(iter(()), X)",
    "def f(): return X.append",
    "def f(): return X.get",
    "a in a\nX in a",
    "globals()['X'].append(1)",
    "globals()[name].append(1)",
    "vars()['X'].append(1)",
    "exec('X.append(1)')",
    "eval('X').append(1)",
    "import sys\nsys.modules[__name__].X.append(1)",
    "import importlib\nimportlib.import_module(__name__).X.append(1)",
    "import pkg\npkg.mod.X.append(1)",
    "import pkg.mod\ndef f(): pkg.mod.X = 1",
    "from pkg import mod\nmod.X.append(1)",
    "from . import mod\nmod.X.append(1)",
    "from .mod import X as Z\nZ.append(1)",
    "def g(): pass\ng.__globals__['X'].append(1)",
    "def sorted(v): return v\nY = sorted(X)",
    "def f(len): return len(X)",
    "from a import len\nlen(X)",
    "from a import *\nlen(X)",
    "def f(bisect): return bisect.bisect_left(X, 1)",
    "import other as bisect\nbisect.bisect_left(X, 1)",
    "async def f():\n  await X",
    "raise X",
    "return_ = list.append(X, 1)",
    "def f() -> X: pass",
]


@pytest.mark.parametrize("code", READS)
def test_a_name_that_is_only_read_is_a_constant(code: str) -> None:
    """Reading uses, and other names that are spelled the same, leave a constant one."""
    assert "X" in constants(ast.parse(f"X = [1, 2]\n{code}"), module="pkg.mod")


@pytest.mark.parametrize("code", WRITES)
def test_a_name_that_is_written_or_escapes_is_no_constant(code: str) -> None:
    """One use that may change the value, or hand it to code that may, is enough."""
    assert "X" not in constants(ast.parse(f"X = [1, 2]\n{code}"), module="pkg.mod")


BINDINGS = {
    "X = [1]": 1,
    "X = {}": 1,
    "X = {1, 2}": 1,
    "X: dict[str, int] = {'a': 1}": 1,
    "X = {'a': [1], 'b': (2, 3)}": 2,
    "X = {'a': {'b': [1]}}": 3,
    "X = ([1], [2])": 2,
    "X = [i for i in range(3)]": 1,
    "X = {k: [v] for k, v in ()}": 2,
    "X = dict(a=1)": 1,
    "X = dict(a=[1])": 2,
    "X = set()": 1,
    "X = 'a b c'.split()": 1,
    "X = dict.fromkeys('abc', 0)": 1,
    "X = [1] + [2]": 1,
    "X = [*range(3)]": 1,
    "if a: X = [1]": 1,
    "X = (1, 2)": 0,
    "X = 1": 0,
    "X = frozenset([1])": 0,
    "X = load()": 0,
    "X = Y = [1]": 0,
    "X, Y = [1], [2]": 0,
    "for i in (): X = [i]": 0,
    "while a: X = [1]": 0,
    "X = [1]\nX = [2]": 0,
    "if a: X = [1]\nelse: X = [2]": 0,
    "def dict(): pass\nX = dict(a=1)": 0,
    "X = [(y := [1])]": 0,
}


@pytest.mark.parametrize(("code", "depth"), BINDINGS.items())
def test_depth_counts_the_containers_that_the_expression_shows(code: str, depth: int) -> None:
    """One container is 1, containers in it 2; a name that is not bound exactly once to such an expression is not a constant."""
    found = constants(ast.parse(code)).get("X")
    assert (found.depth if found is not None else 0) == depth


NESTED_READS = [
    "def f(k): return X[k][0]",
    "def f(k): return X.get(k, ())[0]",
    "def f():\n  for k, v in X.items():\n    print(k, len(v))",
    "def f(): return [w for v in X.values() for w in v]",
    "def f(): return {w: k for k, v in X.items() for w in v}",
    "def f(): return list(X)",
    "def f(a): return any(a in v for v in X.values())",
    "def f():\n  row = X['a']\n  return row[0], len(row)",
    "def f():\n  for i, (k, v) in enumerate(X.items()): print(v[i])",
    "def f():\n  for k in X: unknown(k)",
    "def f(): return [k for k in X], min(X)",
    "def f(): return X.keys(), len(X), 'a' in X",
]
NESTED_WRITES = [
    "def f(k): return X[k]",
    "X['a'].append(1)",
    "X['a'] += [1]",
    "def f():\n  for v in X.values(): v.append(1)",
    "def f():\n  row = X['a']\n  row += [1]",
    "def f(): return [v for v in X.values()]",
    "def f(): return dict(X)",
    "def f(): return X.copy()",
    "def f(): return {**X}",
    "def f(): return sorted(X.values(), key=g)",
    "def f(): return max(X.values(), key=g)[0]",
    "def f(): unknown(*X.values())",
    "def f(): yield from X.values()",
    "for v in X.values(): v.clear()",
    "def f():\n  (_, row), *rest = X.items()\n  return rest",
    "def f(): return list(map(g, X.values()))",
    "def f(): return sum(X.values(), [])",
]


@pytest.mark.parametrize("code", NESTED_READS)
def test_containers_in_containers_may_be_read_through(code: str) -> None:
    """A container that is reached through another one is followed in the same way."""
    assert "X" in constants(ast.parse(f"X = {{'a': [1], 'b': [2]}}\n{code}"))


@pytest.mark.parametrize("code", NESTED_WRITES)
def test_a_container_in_a_container_does_not_escape(code: str) -> None:
    """A copy of the outer container still shares the inner ones."""
    assert "X" not in constants(ast.parse(f"X = {{'a': [1], 'b': [2]}}\n{code}"))


def test_a_constant_may_stand_in_another() -> None:
    """A table that holds a table is one of containers."""
    found = constants(ast.parse("A = [1]\nB = {'a': A}\ndef f(): return B['a'][0]"))
    assert {name: constant.depth for name, constant in found.items()} == {"A": 1, "B": 2}


@pytest.mark.parametrize(
    ("code", "path", "expected"),
    [
        ("def f(): return TABLE[0]", "TABLE", True),
        ("def f(): TABLE.append(1)", "TABLE", False),
        ("def f(TABLE): TABLE.append(1)", "TABLE", True),
        ("def f():\n  from m import TABLE\n  TABLE.append(1)", "TABLE", False),
        ("def f(): return m.TABLE[0]", "m.TABLE", True),
        ("def f(): return m.other(m.TABLE[0])", "m.TABLE", True),
        ("def f(): m.TABLE[0] = 1", "m.TABLE", False),
        ("def f(): m.TABLE = 1", "m.TABLE", False),
        ("def f(): del m.TABLE", "m.TABLE", False),
        ("def f(): return m.TABLE", "m.TABLE", False),
        ("def f():\n  import m\n  return m.TABLE", "m.TABLE", False),
        ("def f(): return m", "m.TABLE", False),
        ("def f(): setattr(m, 'TABLE', 1)", "m.TABLE", False),
        ("def f(m): return m.TABLE", "m.TABLE", True),
        ("def f(): return p.m.TABLE.pop()", "p.m.TABLE", False),
        ("def f(): return p.m.TABLE[0]", "p.m.TABLE", True),
        ("def f():\n  global TABLE\n  TABLE = 1", "TABLE", False),
        ("def f(): return globals()", "TABLE", False),
        ("lambda: TABLE[0]", "TABLE", True),
        ("lambda: TABLE", "TABLE", False),
        ("class C:\n  def f(self): return TABLE", "TABLE", False),
        ("def f():\n  def TABLE(): pass\n  return TABLE", "TABLE", True),
    ],
)
def test_another_function_only_reads_it(code: str, path: str, *, expected: bool) -> None:
    """Code of other modules uses a constant by its own name for it, or as an attribute of the module."""
    statement = ast.parse(code).body[0]
    tree = statement.value if isinstance(statement, ast.Expr) else statement
    assert reads_only(tree, path, of=_constant("X = [1, 2]")) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from m import X\nprint(X[0])", True),
        ("from m import X as Y\nY.append(1)", False),
        ("from m import X\ndef f(): return X", False),
        ("import m\nprint(m.X[0], m.Y)", True),
        ("import m\nm.X.append(1)", False),
        ("import m as n\nn.X[0] = 1", False),
        ("def f():\n  import m\n  m.X.clear()", False),
        ("from . import m\nm.X.clear()", True),
        ("from m import *\nX.append(1)", False),
        ("from other import X\nX.append(1)", True),
        ("X = []\nX.append(1)", True),
        ("import m\nglobals()\nprint(m.X[0])", False),
    ],
)
def test_every_use_of_another_module_is_looked_at(code: str, *, expected: bool) -> None:
    """The imports of a module, in any scope, say by which names it knows the constant of another."""
    constant = _constant("X = [1, 2]")
    assert every_use_reads(ast.parse(code), lambda full: full == "m.X", of=constant, module="pkg.user") is expected


def _is_atom(value: object) -> bool:
    return isinstance(value, int | str | type | None)


def _constant(code: str) -> Constant:
    return constants(ast.parse(code))["X"]


@pytest.mark.parametrize(
    ("code", "value", "expected"),
    [
        ("X = [1, 2]", [1, 2], True),
        ("X = [1, 2]", [1, 2, 3], False),
        ("X = [1, 2]", [1, True], False),
        ("X = {'a': [1]}", {"a": [1]}, True),
        ("X = {'a': [1]}", {"a": [2]}, False),
        ("X = {'a': 1, 'b': 2}", {"b": 2, "a": 1}, False),
        ("X = {'a': int}", {"a": int}, True),
        ("X = {'a': int}", {"a": str}, False),
        ("X = {'a': gone}", {"a": 1}, True),
        ("X = [i for i in a]", [1, 2], True),
        ("X = [i for i in a]", [1, [2]], False),
        ("X = [i for i in a]", (1, 2), False),
        ("X = {'a': make()}", {"a": 7}, True),
        ("X = {'a': make()}", {"a": object()}, False),
        ("X = {'a': make()}", {"a": []}, False),
    ],
)
def test_a_value_is_compared_with_what_the_statement_made(code: str, value: object, *, expected: bool) -> None:
    """Displays are compared part by part; results of other expressions by the depth of their containers."""
    assert (
        still_made(_constant(code), value, leaf=_is_atom, lookup=vars(__import__("builtins")).__getitem__) is expected
    )


ATOMS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3) | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_written_is_still_made(value: object) -> None:
    """A value equals the result of its own text, and has the depth that the text shows."""
    found = constants(ast.parse(f"X = {value!r}")).get("X")
    if found is not None:
        assert still_made(found, value, leaf=_is_atom, lookup={}.__getitem__)


STATEMENTS = st.sampled_from(
    [
        "y = X",
        "y = X[0]",
        "y = [X]",
        "y = y[0]",
        "y = z",
        "z = y",
        "z = (y, X)",
        "for y in X: pass",
        "for z in y: pass",
        "y = X.copy()",
        "z = [v for v in y]",
        "y = X or z",
        "(y, z) = X",
        "y = max(X, z)",
        "y = next(iter(X))",
        "y = list(X)",
        "z = {'a': y}",
        "z = sorted(X)",
        "y = X + [2]",
    ]
)
MUTATIONS = st.sampled_from(
    ["y.append(9)", "z.append(9)", "y += [9]", "y[0].append(9)", "z[0].append(9)", "z.clear()", "len(y)"]
)


@given(st.lists(STATEMENTS, max_size=5), MUTATIONS, st.sampled_from(["[1, 2]", "[[1], [2]]", "([1], [2])"]))
def test_no_accepted_program_changes_its_constant(lines: list[str], last: str, value: str) -> None:
    """Programs of aliases, parts and copies: if a program is accepted, then running it leaves the value as it was."""
    body = textwrap.indent("\n".join(["y = z = None", *lines, last]), "  ")
    code = f"X = {value}\ndef f():\n{body}"
    if "X" not in constants(ast.parse(code)):
        return
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    with contextlib.suppress(TypeError, IndexError, AttributeError, ValueError, KeyError):
        namespace["f"]()
    assert namespace["X"] == eval(value)
