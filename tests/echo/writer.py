"""Writes random programs: entities of all kinds, whose state is changed between definition and spawn by every kind of statement."""

from __future__ import annotations

import importlib
import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

from program import Piece, Program

WORDS: Final = ("red", "blue", "north", "tea", "one two", "ü", "x")
RECIPES: Final[dict[str, Callable[[Writer], None]]] = {}
WEIGHTS: Final[dict[str, int]] = {}


def recipe(weight: int = 2) -> Callable[[Callable[[Writer], None]], Callable[[Writer], None]]:
    """List a function that writes a kind of piece."""

    def add(function: Callable[[Writer], None]) -> Callable[[Writer], None]:
        RECIPES[function.__name__] = function
        WEIGHTS[function.__name__] = weight
        return function

    return add


class Writer:
    """Writes one program, with choices from a random generator of its own."""

    def __init__(self, index: int) -> None:
        self.rng = random.Random(f"capsend echo {index}")
        self.index = index
        self.pieces: list[Piece] = []
        self.imports: list[str] = []
        self.count = 0
        self.is_local = self.rng.random() < 0.12
        self.has_other = not self.is_local and self.rng.random() < 0.25
        self.late = not self.is_local and self.rng.random() < 0.25
        self.is_foreign = False
        self._begin()

    def _begin(self) -> None:
        self.definitions: list[str] = []
        self.fronts: list[str] = []
        self.changes: list[str] = []
        self.reads: list[tuple[str, str]] = []
        self.loses = self.keeps = False
        self.known: dict[str, str] = {}

    def write(self) -> Program:
        """Return the program."""
        if self.has_other:
            self.imports.append(f"import {self.other} as o")
        names = list(RECIPES)
        for _ in range(self.rng.choice((1, 1, 2, 2, 3))):
            self._begin()
            kind = self.rng.choices(names, [WEIGHTS[name] for name in names])[0]
            self.is_foreign = self.has_other and self.rng.random() < 0.6
            RECIPES[kind](self)
            self.rng.shuffle(self.changes)
            self.pieces.append(
                Piece(
                    kind,
                    tuple(self.definitions),
                    tuple(self.fronts),
                    tuple(self.changes),
                    tuple(self.reads),
                    is_foreign=self.is_foreign,
                    loses=self.loses,
                    keeps=self.keeps,
                )
            )
        way = self.rng.choice(("function", "function", "function", "lambda", "partial", "nested", "argument", "both"))
        is_raw = self.maybe(0.2)
        is_again = self.late and self.maybe(0.7)
        if is_again:
            way = "function"  # whose program is kept
        return Program(
            self.index, tuple(self.pieces), self.is_local, way, self.late, is_raw, tuple(self.imports), is_again
        )

    @property
    def other(self) -> str:
        """The name of the second module."""
        return "ECHO_B"

    # What recipes use

    def pick(self, *choices: str) -> str:
        """Choose one."""
        return self.rng.choice(choices)

    def maybe(self, chance: float = 0.5) -> bool:
        """Toss a coin."""
        return self.rng.random() < chance

    def name(self, stem: str) -> str:
        """Return a name that nothing in the program has."""
        self.count += 1
        return f"{stem}{self.count}"

    def define(self, *texts: str) -> None:
        """Add statements that define something."""
        self.definitions += texts

    def ref(self, name: str) -> str:
        """Return the expression by which the first module reaches a name of this piece."""
        if not self.is_foreign:
            return name
        if name not in self.known:
            if self.maybe(0.5):
                alias = self.name("alias_")
                self.imports.append(f"from {self.other} import {name} as {alias}")
                self.known[name] = alias
            else:
                self.known[name] = f"o.{name}"
        return self.known[name]

    def value(self, shape: str) -> str:
        """Return an expression of a random value of a type."""
        n = self.rng.randint(2, 60)
        word = self.rng.choice(WORDS)
        if shape == "int":
            return str(n)
        if shape == "str":
            return repr(f"{word} {n}")
        if shape == "float":
            return f"{n}.5"
        if shape == "tuple[int, ...]":
            return f"({n}, {n + 1})"
        if shape == "tuple[str, ...]":
            return f"({word!r}, {str(n)!r})"
        if shape == "frozenset[int]":
            return f"frozenset(({n}, 3))"
        if shape == "int | None":
            return self.pick("None", str(n))
        if shape == "bytes":
            return f"b'{n}'"
        if shape == "list[int]":
            return f"[{n}, 2]"
        if shape == "dict[str, int]":
            return f"{{{word!r}: {n}, 'k': 1}}"
        if shape == "set[int]":
            return f"{{{n}, 7}}"
        raise ValueError(shape)

    def shape(self) -> str:
        """Choose a type whose values can be captured."""
        return self.pick(
            "int", "int", "str", "str", "float", "tuple[int, ...]", "tuple[str, ...]", "int | None", "bytes"
        )

    # Changes

    def change(self, *statements: str) -> None:
        """Add a statement that changes state, as it stands or inside something."""
        text = "\n".join(statements)
        form = self.rng.random()
        if form < 0.6 or "del " in text:
            self.changes.append(text)
        elif form < 0.8:
            name = self.name("change_")
            self.changes.append(f"def {name}() -> None:\n{_indented(text)}\n{name}()")
        elif form < 0.9:
            self.changes.append(f"if len('{self.index}') > 0:\n{_indented(text)}")
        else:
            self.changes.append(f"try:\n{_indented(text)}\nfinally:\n    pass")

    def change_attribute(
        self, owner: str, attr: str, shape: str, *, is_class: bool = False, checked: bool = True
    ) -> None:
        """Assign an attribute in one of the many ways; `checked` says that a type checker knows it."""
        value = self.value(shape)
        target = f"{owner}.{attr}"
        forms = [f"setattr({owner}, {attr!r}, {value})", f"setattr({owner}, {attr[:1]!r} + {attr[1:]!r}, {value})"]
        if checked:
            forms += [
                f"{target} = {value}",
                f"{target} = {value}",
                f"{target}, _t{self.name('')} = {value}, 0",
                f"for {target} in ({self.value(shape)}, {value}):\n    pass",
                f"with contextlib.nullcontext({value}) as {target}:\n    pass",
                f"[{target}, *_r{self.name('')}] = [{value}, 1, 2]",
            ]
            if shape in {"int", "str", "float", "tuple[int, ...]", "tuple[str, ...]"}:
                forms.append(f"{target} += {value}")
        if is_class:
            forms.append(f"type.__setattr__({owner}, {attr!r}, {value})")
        self.change(self.rng.choice(forms))

    def change_global(self, name: str, shape: str) -> None:
        """Bind a name of a module anew, in one of the many ways."""
        value = self.value(shape)
        if self.is_foreign:
            self.change_attribute("o", name, shape)
            return
        forms = [
            f"{name} = {value}",
            f"{name}, _t{self.name('')} = {value}, 0",
            f"for {name} in ({self.value(shape)}, {value}):\n    pass",
            f"with contextlib.nullcontext({value}) as {name}:\n    pass",
            f"if ({name} := {value}):\n    pass",
        ]
        if shape in {"int", "str", "float", "tuple[int, ...]", "tuple[str, ...]"}:
            forms.append(f"{name} += {value}")
        if not self.is_local:
            forms += [f"globals()[{name!r}] = {value}", f"setattr(sys.modules[__name__], {name!r}, {value})"]
        text = self.rng.choice(forms)
        if self.late and not text.startswith(("globals", "setattr")):
            text = f"global {name}\n{text}"
            if any(change.startswith(f"global {name}\n") for change in self.changes):
                return
            self.changes.append(text)
        elif self.maybe(0.2) and not self.is_local and not text.startswith(("globals", "setattr")):
            function = self.name("change_")
            self.changes.append(f"def {function}() -> None:\n    global {name}\n{_indented(text)}\n{function}()")
        else:
            self.changes.append(text)

    # Reads

    def read(self, expression: str, before: str = "") -> None:
        """Read an expression in `work`, directly or by way of other code."""
        self.reads.append((before, expression if before else self._way_to(expression)))

    def read_attribute(self, owner: str, attr: str) -> None:
        """Read an attribute in one of the many ways."""
        self.read(
            self.pick(
                f"{owner}.{attr}", f"{owner}.{attr}", f"{owner}.{attr}",
                f"getattr({owner}, {attr!r})", f"getattr({owner}, {attr!r}, 'missing')", f"hasattr({owner}, {attr!r})",
                f"operator.attrgetter({attr!r})({owner})", f"getattr({owner}, {attr[:1]!r} + {attr[1:]!r}, 'missing')",
            )
        )  # fmt: skip

    def read_global(self, name: str) -> None:
        """Read a name of a module in one of the many ways."""
        if self.is_foreign:
            if self.maybe(0.4):
                self.read(self.ref(name))
            else:
                self.read_attribute("o", name)
            return
        forms = [name, name, name]
        if not self.is_local:
            forms += [
                f"globals()[{name!r}]",
                f"globals().get({name!r}, 'missing')",
                f"{name!r} in globals()",
                f"getattr(sys.modules[__name__], {name!r})",
            ]
        self.read(self.rng.choice(forms))

    def _way_to(self, expression: str) -> str:
        form = self.rng.random()
        if form < 0.35:
            return expression
        name = self.name("way_")
        ways = [
            self._helper,
            self._helper,
            self._operator,
            self._method,
            self._inner,
            self._comprehension,
            self._generator,
            self._default,
            self._early,
        ]
        return self.rng.choice(ways)(name, expression)

    def _add(self, text: str) -> None:
        self.fronts.append(text)

    def _helper(self, name: str, expression: str) -> str:
        self._add(f"def {name}() -> object:\n    return {expression}")
        return self.pick(
            f"{name}()",
            f"functools.partial({name})()",
            f"[f() for f in ({name},)]",
            f"tuple(map(lambda f: f(), [{name}]))",
        )

    def _operator(self, name: str, expression: str) -> str:
        form, use = self.rng.choice(
            [
                ("__add__(self, other: int) -> object", "{}() + 1"),
                ("__radd__(self, other: int) -> object", "1 + {}()"),
                ("__matmul__(self, other: int) -> object", "{}() @ 1"),
                ("__getitem__(self, other: int) -> object", "{}()[1]"),
                ("__call__(self) -> object", "{}()()"),
                ("__neg__(self) -> object", "-{}()"),
                ("__lt__(self, other: object) -> object", "{}() < {}()"),
                ("__getattr__(self, name: str) -> object", "{}().something"),
                ("__mod__(self, other: int) -> object", "{}() % 1"),
                ("__rshift__(self, other: int) -> object", "{}() >> 1"),
                ("__iter__(self) -> Any", "list({}())"),
                ("__str__(self) -> str", "f'{{{}()}}'"),
                ("__repr__(self) -> str", "f'{{{}()!r}}'"),
                ("__format__(self, spec: str) -> str", "f'{{{}():x}}'"),
                ("__len__(self) -> int", "len({}())"),
                ("__bool__(self) -> bool", "not {}()"),
                ("__contains__(self, item: object) -> bool", "1 in {}()"),
                ("__eq__(self, other: object) -> bool", "{}() == 1"),
                ("__enter__(self) -> object", ""),
            ]
        )
        result = expression
        if "-> Any" in form:
            result = f"iter(({expression},))"
        elif "-> str" in form:
            result = f"repr({expression})"
        elif "-> int" in form:
            result = f"len(repr({expression}))"
        elif "-> bool" in form:
            result = f"len(repr({expression})) > 3"
        self._add(f"class {name}:\n    def {form}:\n        return {result}")
        if not use:
            self.fronts[-1] += "\n    def __exit__(self, *args: object) -> None:\n        pass"
            user = self.name("way_")
            self._add(f"def {user}() -> object:\n    with {name}() as found:\n        return found")
            return f"{user}()"
        return use.replace("{}", name).replace("{{", "{").replace("}}", "}")

    def _method(self, name: str, expression: str) -> str:
        decorator, call = self.rng.choice(
            [
                ("", "{}().m()"),
                ("@staticmethod", "{}.m()"),
                ("@classmethod", "{}.m()"),
                ("@property", "{}().m"),
                ("@functools.cached_property", "{}().m"),
            ]
        )
        self_ = {"@staticmethod": "", "@classmethod": "cls"}.get(decorator, "self")
        self._add(
            f"class {name}:\n"
            + (f"    {decorator}\n" if decorator else "")
            + f"    def m({self_}) -> object:\n        return {expression}"
        )
        return call.format(name)

    def _inner(self, name: str, expression: str) -> str:
        return f"(lambda: (lambda: {expression})())()"

    def _comprehension(self, name: str, expression: str) -> str:
        return f"[{expression} for _ in range(1)]"

    def _generator(self, name: str, expression: str) -> str:
        self._add(f"def {name}() -> Iterator[object]:\n    yield {expression}")
        return f"list({name}())"

    def _default(self, name: str, expression: str) -> str:
        if "globals" in expression:
            return f"(lambda: {expression})()"
        self._add(f"def {name}({self.pick('', '*, ')}x: object = {expression}) -> object:\n    return x")
        return f"{name}()"

    def _early(self, name: str, expression: str) -> str:
        if "globals" in expression:
            return f"(lambda: {expression})()"
        self._add(f"class {name}:\n    held{self.pick('', ': object')} = {expression}")
        return f"{name}.held"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def program(index: int) -> Program:
    """Return the program of a number: always the same."""
    for name in ("values", "functions", "classes", "kinds", "more"):
        importlib.import_module(f"recipes_{name}")  # they list themselves

    return Writer(index).write()
