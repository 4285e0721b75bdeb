"""Recipes for values of modules: constants, tables, instances, identity."""

from __future__ import annotations

from writer import Writer, recipe


@recipe(4)
def constant(w: Writer) -> None:
    """A value of a module."""
    name, shape = w.name("K"), w.shape()
    w.define(f"{name}: {w.pick(shape, shape, 'object') if w.maybe(0.1) else shape} = {w.value(shape)}")
    if w.maybe():
        w.change_global(name, shape)
    elif w.maybe(0.15) and not w.is_local and not w.is_foreign:
        w.change(f"globals().pop({name!r})")
        w.read(w.pick(f"globals().get({name!r}, 'missing')", f"{name!r} in globals()"))
        return
    for _ in range(w.rng.randint(1, 3)):
        w.read_global(name)


@recipe(3)
def table(w: Writer) -> None:
    """A dict, list or set of a module."""
    name = w.name("TABLE")
    shape = w.pick("list[int]", "dict[str, int]", "set[int]")
    per_process = w.maybe(0.4)
    w.define(f"{name}: {f'PerProcess[{shape}]' if per_process else shape} = {w.value(shape)}")
    ref = w.ref(name)
    if w.maybe(0.4):
        w.change(
            {
                "list[int]": w.pick(f"{ref}.append(9)", f"{ref}[0] = 8", f"{ref}.sort()"),
                "dict[str, int]": w.pick(f"{ref}['new'] = 9", f"{ref}.update(z=1)", f"{ref}.pop('k')"),
                "set[int]": f"{ref}.add(100)",
            }[shape]
        )
    read = w.pick(f"sorted({ref})", f"len({ref})", f"tuple(sorted({ref}))", f"repr(sorted({ref}))")
    w.read(read)
    if shape == "dict[str, int]":
        w.read(w.pick(f"sorted({ref}.items())", f"{ref}.get('k', 0)", f"{ref}.get('new')"))
    if w.maybe(0.1):
        w.loses, w.keeps = not per_process, per_process
        w.read(
            "None",
            {"list[int]": f"{ref}.append(1)", "dict[str, int]": f"{ref}['lost'] = 1", "set[int]": f"{ref}.add(55)"}[
                shape
            ],
        )


@recipe(2)
def function_table(w: Writer) -> None:
    """A table of named functions."""
    a, b, name = w.name("act"), w.name("act"), w.name("ACTS")
    w.define(
        f"def {a}(n: int) -> int:\n    return n + {w.value('int')}",
        f"def {b}(n: int) -> int:\n    return n * {w.value('int')}",
    )
    if w.maybe():
        w.define(f"{name} = ({a}, {b})")
        w.read(w.pick(f"[f(3) for f in {w.ref(name)}]", f"{w.ref(name)}[0](2)", f"{w.ref(name)}[1] is {w.ref(b)}"))
    else:
        w.define(f"{name} = {{'a': {a}, 'b': {b}}}")
        w.read(
            w.pick(
                f"[f(3) for f in {w.ref(name)}.values()]", f"{w.ref(name)}['b'](2)", f"{w.ref(name)}['a'] is {w.ref(a)}"
            )
        )
    if w.maybe(0.3):
        w.change(f"{w.ref(a)}.__defaults__ = ({w.value('int')},)")


@recipe(3)
def identity(w: Writer) -> None:
    """One object in several places."""
    name = w.name("NO")
    kind = w.pick("str", "tuple", "object", "frozen", "float", "int", "bytes", "sentinel", "frozenset")
    if kind == "frozen":
        w.define(f"@dataclass(frozen=True)\nclass {name}Type:\n    word: str = 'w'")
    if kind == "sentinel":
        w.define(f"class {name}Type:\n    def __repr__(self) -> str:\n        return 'SENTINEL'")
    value = {
        "str": f"'no {w.value('int')}'",
        "tuple": f"({w.value('int')}, 'a')",
        "object": "object()",
        "frozen": f"{name}Type()",
        "float": "1.25",
        "int": "123456",
        "bytes": "b'no no'",
        "sentinel": f"{name}Type()",
        "frozenset": "frozenset((1, 2))",
    }[kind]
    w.define(
        f"{name} = {value}", f"{name}_alias = {name}", f"def {name}_f(x: object = {name}) -> bool:\n    return x is {name}", f"class {name}_C:\n    held = {name}\n    def same(self, x: object = {name}) -> bool:\n        return x is self.held",
        f"def {name}_k(*, x: object = {name}) -> object:\n    return x", f"{name}_t = ({name}, {name})", f"def {name}_make(v: object) -> Any:\n    def get() -> object:\n        return v\n    return get", f"{name}_g = {name}_make({name})",
    )  # fmt: skip
    r = w.ref
    if w.maybe(0.2):
        w.change(
            w.pick(
                f"setattr({r(name + '_C')}, 'held', {r(name + '_alias')})",
                f"{r(name + '_f')}.__defaults__ = ({r(name)},)",
                f"setattr({r(name + '_f')}, 'tag', {r(name)})",
            )
        )
    for _ in range(3):
        w.read(
            w.pick(
                f"{r(name + '_f')}()", f"{r(name)} is {r(name + '_alias')}", f"{r(name + '_C')}().same()", f"{r(name + '_C')}.held is {r(name)}", f"{r(name + '_k')}() is {r(name)}", f"{r(name + '_t')}[0] is {r(name)}",
                f"{r(name + '_t')}[0] is {r(name + '_t')}[1]", f"{r(name + '_g')}() is {r(name)}", f"{r(name + '_f')}({r(name + '_alias')})", f"{r(name + '_k')}() is {r(name + '_g')}()", f"getattr({r(name + '_f')}, 'tag', None) is {r(name)}", f"{r(name)} in {r(name + '_t')}",
            )
        )  # fmt: skip


@recipe(1)
def instances(w: Writer) -> None:
    """Instances of a module, aliased and put into each other."""
    name, one = w.name("I"), w.name("ONE")
    how = w.pick("@dataclass(frozen=True)\n", "@dataclass(frozen=True)\n", "@dataclass\n", "@attrs.frozen\n")
    w.define(
        f"{how}class {name}:\n    n: int\n    inner: Any = None",
        f"{one} = {name}({w.value('int')})",
        f"{one}b = {name}(1, {one})",
        f"{one}c = ({one}, {one}b)",
    )
    if w.maybe(0.5):
        w.change(
            w.pick(
                f"object.__setattr__({w.ref(one)}, 'n', 5)",
                f"object.__setattr__({w.ref(one)}, 'inner', {w.ref(one + 'b')})",
                f"setattr({w.ref(name)}, 'inner', 3)",
                f"{w.ref(one)}.__dict__['extra'] = 1",
            )
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{w.ref(one)}.n",
                f"{w.ref(one + 'b')}.inner is {w.ref(one)}",
                f"{w.ref(one + 'c')}[0] is {w.ref(one)}",
                f"{w.ref(one + 'c')}[1].inner.n",
                f"{w.ref(one)} == {w.ref(name)}(5)",
                f"getattr({w.ref(one)}, 'extra', 'none')",
            )
        )


@recipe(1)
def module_objects(w: Writer) -> None:
    """Other things that modules hold."""
    name = w.name("O")
    expression, reads = w.rng.choice(
        [
            ("re.compile('a+')", ["{}.findall('caat')", "{}.pattern"]), ("operator.attrgetter('real')", ["{}(4)"]), ("operator.itemgetter(1)", ["{}((1, 2))"]), ("types.MappingProxyType({'a': 1})", ["{}['a']", "len({})"]),
            ("frozenset({'a', 'b'})", ["sorted({})", "'a' in {}"]), ("types.SimpleNamespace(a=1)", ["{}.a"]), ("functools.partial(int, base=2)", ["{}('11')"]), ("range(3)", ["list({})"]), ("slice(1, 2)", ["[1, 2, 3][{}]"]),
            ("(lambda n: n + 1)", ["{}(1)", "{}.__name__"]), ("str.upper", ["{}('a')"]), ("(1, 'a').count", ["{}(1)"]), ("itertools.count(3)", ["next({})"]), ("collections.ChainMap({'a': 1})", ["{}['a']"]), ("int", ["{}('3')"]),
            ("dataclasses.make_dataclass('Made', ['a', 'b'])", ["{}(1, 2).a"]), ("type('Made', (), {'n': 4})", ["{}.n"]), ("typing.Optional[int]", ["str({})"]), ("list[int]", ["{}((1, 2))"]), ("typing.NewType('Id', int)", ["{}(3)"]), ("NotImplemented", ["repr({})"]),
            ("(1, (2, (3, ('deep',))))", ["{}[1][1][1]"]), ("float('inf')", ["{} > 1"]), ("property(lambda self: 1)", ["type({}).__name__"]), ("sys", ["{}.byteorder"]), ("__import__('json')", ["{}.dumps([1])"]),
        ]
    )  # fmt: skip
    w.define(f"{name}: {'Any'} = {expression}" if w.maybe(0.3) else f"{name} = {expression}")
    w.read(w.rng.choice(reads).format(w.ref(name)))


@recipe(1)
def modules(w: Writer) -> None:
    """Modules, as values and by name."""
    name = w.name("LEVEL")
    w.define(f"{name}: int = {w.value('int')}", f"def {name}_f() -> object:\n    return {name}")
    where = w.other if w.is_foreign else "ECHO_A"
    if w.is_local:
        w.read(f"{name}_f()")
        return
    w.change_global(name, "int")
    if w.is_foreign:
        w.read(
            w.pick(
                f"o.{name}_f()",
                f"getattr(o, {name!r}, 0)",
                f"{name!r} in vars(o)",
                f"hasattr(o, {name!r})",
                f"sys.modules[{where!r}].{name}",
                f"__import__({where!r}).{name}",
                "o.__name__[:4]",
            )
        )
        w.read("level_", f"from {where} import {name} as level_")
    else:
        w.read(
            w.pick(
                f"{name}_f()",
                f"sys.modules[__name__].{name}",
                "__name__[:4]",
                f"vars(sys.modules[__name__]).get({name!r})",
            )
        )


@recipe(1)
def back_reference(w: Writer) -> None:
    """Two modules that use each other."""
    if w.is_local or not w.has_other:
        constant(w)
        return
    w.is_foreign = True
    name, shape = w.name("BACK"), w.shape()
    w.fronts.append(f"{name}: {shape} = {w.value(shape)}")
    w.fronts.append(f"class {name}_C:\n    n: int = 3")
    w.define(
        f"def {name}_get() -> object:\n    return front.{name}",
        f"def {name}_cls() -> object:\n    return front.{name}_C().n, front.{name}_C.__name__",
        f"class {name}_D:\n    def get(self) -> object:\n        return front.{name}_C",
    )
    if w.maybe():
        w.change(f"{name}_C.n = 8")
    w.read(
        w.pick(f"{w.ref(name + '_get')}()", f"{w.ref(name + '_cls')}()", f"{w.ref(name + '_D')}().get() is {name}_C")
    )
    w.read(f"{w.ref(name + '_get')}() is {name}")
