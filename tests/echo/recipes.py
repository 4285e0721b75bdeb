"""The recipes: one for each kind of entity, with its own ways of being changed and read."""

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
        w.loses = not per_process
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


@recipe(5)
def function(w: Writer) -> None:
    """A function with everything that can be changed of it."""
    name, helper = w.name("f"), w.name("H")
    default, keyword = w.value("int"), w.value("int")
    with_global = w.maybe(0.4)
    if with_global:
        w.define(f"{helper}: int = {w.value('int')}")
    doc = w.pick("", f"\n    {w.value('str')!r}")
    w.define(
        f"def {name}(a: int = {helper if with_global and w.maybe() else default}, *, b: int = {keyword}) -> int:{doc}\n    return a * 1000 + b{f' + {helper}' if with_global and w.maybe() else ''}"
    )
    ref = w.ref(name)
    for _ in range(w.rng.randint(0, 2)):
        w.change(
            w.pick(
                f"{ref}.__defaults__ = ({w.value('int')},)",
                f"{ref}.__kwdefaults__ = {{'b': {w.value('int')}}}",
                f"{ref}.__kwdefaults__['b'] = {w.value('int')}  # type: ignore[index]",
                f"{ref}.__name__ = {w.value('str')}",
                f"{ref}.__qualname__ = 'Renamed.it'",
                f"{ref}.__doc__ = {w.value('str')}",
                f"{ref}.__module__ = 'elsewhere'",
                f"{ref}.__annotations__['a'] = str",
                f"{ref}.__annotations__ = {{'a': {w.pick('float', 'bytes')}}}",
                f"{ref}.__dict__.update(tag={w.value('str')})",
                f"setattr({ref}, 'tag', {w.value(w.shape())})",
                f"setattr({ref}, 'tag', [1])",
                f"setattr({ref}, '__signature__', inspect.signature(len))",
                f"{ref}.__code__ = (lambda a, *, b: a - b).__code__",
                f"for {ref}.__doc__ in ('first', 'last'):\n    pass",
                f"{ref}.__name__, {ref}.__doc__ = 'two', 'at once'",
                f"setattr({ref}, 'tag', {ref})",
            )
        )
    if with_global and w.maybe(0.4):
        w.change_global(helper, "int")
    for _ in range(w.rng.randint(1, 3)):
        w.read(
            w.pick(
                f"{ref}()", f"{ref}(1)", f"{ref}(b=2)", f"{ref}.__name__", f"{ref}.__qualname__", f"{ref}.__doc__", f"{ref}.__module__",
                f"{ref}.__defaults__", f"sorted(({ref}.__kwdefaults__ or {{}}).items())", f"str(inspect.signature({ref}))",
                f"sorted((k, str(v)) for k, v in typing.get_type_hints({ref}).items())", f"getattr({ref}, 'tag', 'none')", f"hasattr({ref}, 'tag')",
                f"len({ref}.__annotations__)", f"sorted(vars({ref}))", f"inspect.getdoc({ref})",
            )
        )  # fmt: skip


@recipe(2)
def rebound_function(w: Writer) -> None:
    """A function under a name that another function had, or of which there is an alias."""
    name, alias, new = w.name("f"), w.name("alias"), w.name("g")
    w.define(
        f"def {name}() -> str:\n    return {w.value('str')}",
        f"{alias} = {name}",
        f"def {new}() -> str:\n    return {w.value('str')}",
    )
    if w.maybe(0.5) and not w.is_local:
        if w.is_foreign:
            w.change(f"setattr(o, {name!r}, o.{new})")
        else:
            w.changes.append(f"globals()[{name!r}] = {new}")
    w.read(f"{w.ref(name)}()" if not w.is_foreign else f"o.{name}()")
    w.read(w.pick(f"{w.ref(alias)}()", f"{w.ref(alias)} is {w.ref(name)}", f"{w.ref(alias)}.__name__"))


@recipe(3)
def wrapped(w: Writer) -> None:
    """A function behind one or two decorators."""
    deco, name = w.name("deco"), w.name("f")
    kind = w.pick("wraps", "factory", "class", "bare", "same")
    count = w.value("int")
    if kind == "wraps":
        w.define(
            f"def {deco}(f: Callable[..., int]) -> Callable[..., int]:\n    @functools.wraps(f)\n    def inner(*args: Any, **kwargs: Any) -> int:\n        return f(*args, **kwargs) + {count}\n    return inner"
        )
        use = f"@{deco}"
    elif kind == "factory":
        w.define(
            f"def {deco}(n: int) -> Callable[[Callable[..., int]], Callable[..., int]]:\n    def wrap(f: Callable[..., int]) -> Callable[..., int]:\n        @functools.wraps(f)\n        def inner(*args: Any) -> int:\n            return f(*args) * n\n        return inner\n    return wrap"
        )
        use = f"@{deco}({count})"
    elif kind == "class":
        w.define(
            f"class {deco}:\n    def __init__(self, f: Callable[..., int]) -> None:\n        self.f = f\n        self.n = {count}\n    def __call__(self, *args: Any) -> int:\n        return self.f(*args) + self.n"
        )
        use = f"@{deco}"
    elif kind == "bare":
        w.define(
            f"def {deco}(f: Callable[..., int]) -> Callable[..., int]:\n    def inner(*args: Any, **kwargs: Any) -> int:\n        return f(*args, **kwargs) + {count}\n    return inner"
        )
        use = f"@{deco}"
    else:
        w.define(f"def {deco}(f: Any) -> Any:\n    f.tag = {w.value('str')}\n    return f")
        use = f"@{deco}"
    twice = f"{use}\n" if w.maybe(0.3) else ""
    w.define(f"{twice}{use}\ndef {name}(a: int) -> int:\n    'its doc'\n    return a")
    ref = w.ref(name)
    if kind == "class" and w.maybe():
        w.change(f"{ref}.n = 500")
    elif w.maybe(0.3):
        w.change(w.pick(f"{ref}.__name__ = 'changed'", f"setattr({ref}, 'tag', 'late')", f"{ref}.__doc__ = 'new'"))
    w.read(f"{ref}({w.value('int')})")
    if kind != "class" and w.maybe(0.6):
        w.read(
            w.pick(
                f"{ref}.__name__",
                f"{ref}.__doc__",
                f"getattr({ref}, 'tag', 'no')",
                f"str(inspect.signature({ref}))",
                f"hasattr({ref}, '__wrapped__')",
                f"inspect.unwrap({ref})(2)",
                f"{ref}.__qualname__",
            )
        )


@recipe(3)
def closure(w: Writer) -> None:
    """Functions that share a cell."""
    make, pair = w.name("make"), w.name("pair")
    shape = w.shape()
    w.define(
        f"def {make}(value: Any) -> Any:\n    def get() -> Any:\n        return value\n    def put(new: Any) -> None:\n        nonlocal value\n        value = new\n    def same() -> Any:\n        return get() is value\n    return get, put, same",
        f"{pair}_get, {pair}_put, {pair}_same = {make}({w.value(shape)})",
    )
    if w.maybe(0.6):
        w.change(f"{w.ref(pair + '_put')}({w.value(shape)})")
    if w.maybe(0.2):
        w.change(f"{w.ref(pair + '_get')}.__closure__[0].cell_contents = {w.value(shape)}")
    w.read(f"{w.ref(pair + '_get')}()")
    if w.maybe():
        w.read(f"{w.ref(pair + '_same')}()")
    if w.maybe(0.1):
        w.loses = True
        w.read("None", f"{w.ref(pair + '_put')}(1)")


@recipe(1)
def loop_lambdas(w: Writer) -> None:
    """Lambdas of a loop or a comprehension."""
    name = w.name("fs")
    w.define(
        w.pick(
            f"{name} = tuple((lambda n=n: n * 2) for n in range(3))",
            f"{name} = tuple([lambda: n * 2 for n in range(3)])",
            f"{name} = tuple(functools.partial(operator.add, n) for n in range(3))",
        )
    )
    w.read(f"[f({'1' if 'partial' in w.definitions[-1] else ''}) for f in {w.ref(name)}]")


@recipe(2)
def partial(w: Writer) -> None:
    """A partial, whose keywords are a dict."""
    function, name = w.name("f"), w.name("part")
    w.define(
        f"def {function}(a: int, b: int = 1, **more: int) -> tuple[object, ...]:\n    return a, b, sorted(more.items())",
        f"{name} = functools.partial({function}, {w.value('int')}, b={w.value('int')})",
    )
    ref = w.ref(name)
    if w.maybe():
        w.change(
            w.pick(
                f"{ref}.keywords['b'] = 77",
                f"{ref}.keywords['c'] = 5",
                f"{ref}.keywords.pop('b')",
                f"setattr({ref}, 'tag', 'x')",
                f"{w.ref(function)}.__defaults__ = (6,)",
            )
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{ref}()",
                f"{ref}(b=1)",
                f"sorted({ref}.keywords)",
                f"{ref}.args",
                f"{ref}.func is {w.ref(function)}",
                f"getattr({ref}, 'tag', 'no')",
            )
        )


@recipe(6)
def plain_class(w: Writer) -> None:
    """A class with attributes and methods of all kinds."""
    name = w.name("C")
    shapes = [w.shape() for _ in range(2)]
    attrs = [w.name("a"), w.name("b")]
    const = w.name("START")
    w.define(f"{const}: int = {w.value('int')}")
    body = [
        w.pick(
            f"{attrs[0]}: {shapes[0]} = {w.value(shapes[0])}",
            f"{attrs[0]}: ClassVar[{shapes[0]}] = {w.value(shapes[0])}",
        ),
        w.pick(
            f"{attrs[1]}: {shapes[1]} = {w.value(shapes[1])}",
            f"{attrs[1]}, other = {w.value(shapes[1])}, 1",
            f"if True:\n        {attrs[1]}: {shapes[1]} = {w.value(shapes[1])}",
        ),
    ]
    body.append(f"size: int = {const}")
    body.append(
        w.pick(
            "",
            f"__version__: str = {w.value('str')}",
            "__slots__ = ()",
            f"__doc__ = {w.value('str')}",
            f"_hidden: int = {w.value('int')}",
            "many: ClassVar[list[int]] = [1]",
        )
    )
    method = "def m(self) -> object:\n        return self.size"
    decorator = w.pick(
        "", "", "@property\n    ", "@staticmethod\n    ", "@classmethod\n    ", "@functools.cached_property\n    "
    )
    method = {
        "@staticmethod\n    ": f"def m() -> object:\n        return {const}",
        "@classmethod\n    ": "def m(cls) -> object:\n        return cls.size, cls.__name__",
    }.get(decorator, method)
    body.append(decorator + method)
    w.define(f"class {name}:\n    " + "\n    ".join(filter(None, body)))
    ref = w.ref(name)
    sub = w.name("Sub")
    has_sub = w.maybe(0.35)
    if has_sub:
        w.define(
            f"class {sub}({name}):\n    {w.pick('pass', f'size = {w.value(chr(105) + chr(110) + chr(116))}', 'extra: int = 3')}"
        )
        sub = w.ref(sub)
    for _ in range(w.rng.randint(0, 2)):
        _change_class(w, ref, sub if has_sub else ref, attrs, shapes, const)
    for _ in range(w.rng.randint(1, 3)):
        owner = w.pick(ref, ref, f"{ref}()", *([sub, f"{sub}()"] if has_sub else []))
        form = w.rng.random()
        if form < 0.5:
            w.read_attribute(owner, w.pick(attrs[0], attrs[1], "size", "added")) if w.maybe(0.85) else w.read(
                f"getattr({owner}, 'added', 'none')"
            )
        elif form < 0.7:
            called = {"": f"{ref}().m()", "@staticmethod\n    ": f"{ref}.m()", "@classmethod\n    ": f"{ref}.m()"}.get(
                decorator, f"{ref}().m"
            )
            w.read(called)
        else:
            w.read(
                w.pick(
                    f"{ref}.__name__", f"{ref}.__qualname__", f"{ref}.__doc__", f"{ref}.__module__[:4]", f"[c.__name__ for c in {ref}.__mro__]",
                    f"[c.__name__ for c in {sub if has_sub else ref}.__bases__]", f"sorted(c.__name__ for c in {ref}.__subclasses__())",
                    f"sorted(k for k in vars({ref}) if not k.startswith('__'))", f"getattr({ref}, '__version__', 'none')", f"sorted({ref}.__annotations__)",
                    f"repr({ref}.__dict__.get('__slots__'))", f"getattr({ref}, 'many', None)", f"isinstance({sub if has_sub else ref}(), {ref})",
                    f"hasattr({ref}, '_hidden')",
                )
            )  # fmt: skip


def _change_class(w: Writer, ref: str, sub: str, attrs: list[str], shapes: list[str], const: str) -> None:
    owner = w.pick(ref, ref, sub)
    form = w.rng.random()
    if form < 0.45:
        place = w.rng.randint(0, 1)
        w.change_attribute(owner, attrs[place], shapes[place], is_class=True)
    elif form < 0.55:
        w.change_attribute(owner, "added", w.shape(), is_class=True, checked=False)
    elif form < 0.65:
        w.change_global(const, "int")
    elif form < 0.72:
        w.change(w.pick(f"del {ref}.{attrs[0]}", f"delattr({ref}, {attrs[1]!r})"))
    else:
        function = w.name("new")
        w.fronts.append(f"def {function}(self: Any) -> object:\n    return {w.value('str')}, getattr(self, 'size', 0)")
        w.change(
            w.pick(
                f"setattr({ref}, 'm', {function})", f"setattr({ref}, 'm', property({function}))", f"setattr({ref}, 'm', lambda *args: {w.value('int')})",
                f"setattr({ref}, 'm', staticmethod(lambda *args: 5))", f"{ref}.__name__ = 'Named'", f"{ref}.__qualname__ = 'Named.so'", f"{ref}.__doc__ = 'late'",
                f"setattr({ref}, '__version__', '2')", f"{ref}.__annotations__['added'] = int", f"setattr({ref}, 'many', [1, 2])", f"setattr({ref}, 'added', {function})",
                f"setattr({ref}, 'size', property({function}))", f"setattr({ref}, '__len__', lambda self: 3)", f"{ref}.__module__ = 'elsewhere'",
                f"setattr({ref}, '__str__', {function})", f"setattr({ref}, 'size', functools.partial({function}, 1))", f"setattr({ref}, '_hidden', None)",
                f"setattr({ref}, '__getattr__', lambda self, name: name)",
            )
        )  # fmt: skip


@recipe(2)
def rebound_base(w: Writer) -> None:
    """A class whose base, decorator, default or condition is another thing under that name now."""
    base, sub, const, deco = w.name("Base"), w.name("Sub"), w.name("N"), w.name("deco")
    old = w.value("int")
    w.define(
        f"{const}: int = {old}",
        f"def {deco}(cls: Any) -> Any:\n    cls.mark = {w.value('str')}\n    return cls",
        f"class {base}:\n    word: str = 'old'\n    def answer(self) -> str:\n        return 'old'",
        f"{w.pick('', '@' + deco + chr(10))}class {sub}({base}):\n    n: int = {const}\n    def more(self, k: int = {const}) -> int:\n        return k\n    if {const} == {old}:\n        def which(self) -> str:\n            return 'first'\n    else:\n        def which(self) -> str:\n            return 'second'\n    class Inner:\n        n: int = {const}",
    )
    change = w.pick("base", "const", "deco", "del", "sub", "none")
    target = "o" if w.is_foreign else "sys.modules[__name__]"
    if not w.is_local:
        if change == "base":
            w.change(
                f"setattr({target}, {base!r}, type({base!r}, (), {{'answer': lambda self: 'new', 'word': 'new'}}))"
            )
        elif change == "const":
            w.change_global(const, "int")
        elif change == "deco":
            w.change(f"setattr({target}, {deco!r}, lambda cls: None)")
        elif change == "del":
            w.change(f"delattr({target}, {w.pick(base, const, deco)!r})")
        elif change == "sub":
            w.change(f"setattr({target}, {sub!r}, type({sub!r}, (), {{'answer': lambda self: 'replaced'}}))")
    elif change == "const":
        w.change_global(const, "int")
    ref = w.ref(sub)
    for _ in range(3):
        w.read(
            w.pick(
                f"{ref}().answer()",
                f"{ref}().more()",
                f"{ref}.n",
                f"{ref}().which()",
                f"{ref}.Inner.n",
                f"[c.__name__ for c in {ref}.__mro__]",
                f"getattr({ref}, 'mark', 'none')",
                f"{ref}.word",
            )
        )


@recipe(4)
def data_class(w: Writer) -> None:
    """A dataclass, frozen or not."""
    name, const, make = w.name("D"), w.name("DEFAULT"), w.name("make")
    options = w.pick(
        "",
        "(frozen=True)",
        "(frozen=True)",
        "(frozen=True, slots=True)",
        "(order=True)",
        "(kw_only=True, frozen=True)",
        "(eq=False)",
        "(slots=True)",
        "(frozen=True, repr=False)",
    )
    w.define(f"{const}: int = {w.value('int')}", f"def {make}() -> int:\n    return {const} + 1")
    third = w.pick(
        f"c: tuple[int, ...] = field(default_factory=lambda: ({const}, 1))",
        f"c: int = field(default_factory={make})",
        "c: list[int] = field(default_factory=list)",
        "c: str = field(default='x', repr=False, metadata={'unit': 's'})",
        f"c: ClassVar[int] = {const}",
        "c: int | None = None",
    )
    extra = w.pick(
        "",
        "",
        "\n    def total(self) -> int:\n        return self.a + 1",
        "\n    def __post_init__(self) -> None:\n        object.__setattr__(self, 'b', self.b + 1)",
        "\n    def __str__(self) -> str:\n        return f'<{self.a}>'",
    )
    w.define(f"@dataclass{options}\nclass {name}:\n    a: int\n    b: int = {const}\n    {third}{extra}")
    ref, one = w.ref(name), w.name("ONE")
    w.define(f"{one} = {name}(a={w.value('int')})")
    for _ in range(w.rng.randint(0, 2)):
        form = w.rng.random()
        if form < 0.35:
            w.change_global(const, "int")
        elif form < 0.5:
            w.change(f"object.__setattr__({w.ref(one)}, {w.pick('a', 'b')!r}, {w.value('int')})")
        elif form < 0.7:
            w.change(
                w.pick(
                    f"setattr({ref}, 'b', 99)",
                    f"setattr({ref}, 'added', 5)",
                    f"{ref}.__init__.__defaults__ = (1, 2)",
                    f"{ref}.__doc__ = 'new'",
                    f"setattr({ref}, '__repr__', lambda self: 'short')",
                    f"{ref}.__dataclass_fields__['b'].default = 3",
                    f"{ref}.__name__ = 'Data'",
                )
            )
        elif options in {"", "(order=True)", "(eq=False)"}:
            w.change_attribute(w.ref(one), "a", "int")
    for _ in range(w.rng.randint(1, 3)):
        w.read(
            w.pick(
                f"{ref}(a=1)", f"repr({ref}(a=1))", f"{w.ref(one)}", f"{w.ref(one)}.a", f"dataclasses.asdict({w.ref(one)})", f"{ref}(a=1) == {ref}(a=1)", f"[f.name for f in dataclasses.fields({ref})]",
                f"{ref}(a=1).b", f"{ref}(a=1).c", f"dataclasses.replace({w.ref(one)}, a=5)", f"[repr(f.default)[:12] for f in dataclasses.fields({ref})]", f"str({ref}(a=2))", f"{ref}.__match_args__",
                f"str(inspect.signature({ref}))", f"getattr({ref}, 'added', 'none')", f"{w.ref(one)} == {ref}(a=1)", f"{ref}.__doc__", f"[dict(f.metadata) for f in dataclasses.fields({ref})]", f"{ref}.b",
                f"(lambda x: x is {w.ref(one)})({w.ref(one)})",
            )
        )  # fmt: skip


@recipe(2)
def named_tuple(w: Writer) -> None:
    """A NamedTuple or a namedtuple."""
    name, const = w.name("N"), w.name("DEFAULT")
    w.define(f"{const}: int = {w.value('int')}")
    if w.maybe(0.7):
        w.define(
            f"class {name}(NamedTuple):\n    a: int\n    b: int = {const}\n    def total(self) -> int:\n        return self.a + self.b"
        )
        reads = (
            f"{w.ref(name)}(1).total()",
            f"{w.ref(name)}(1)",
            f"{w.ref(name)}._field_defaults",
            f"{w.ref(name)}(2)._asdict()",
            f"{w.ref(name)}(2).b",
            f"{w.ref(name)}._fields",
            f"{w.ref(name)}(1)._replace(a=4)",
            f"sorted({w.ref(name)}.__annotations__)",
        )
    else:
        w.define(f"{name} = namedtuple({name!r}, 'a b', defaults=({const},))")
        reads = (
            f"{w.ref(name)}(1)",
            f"{w.ref(name)}(1).b",
            f"{w.ref(name)}._fields",
            f"{w.ref(name)}(1)._asdict()",
            f"repr({w.ref(name)}(3))",
        )
    if w.maybe(0.4):
        w.change_global(const, "int")
    if w.maybe(0.3):
        w.change(
            w.pick(
                f"{w.ref(name)}.__new__.__defaults__ = (7,)",
                f"setattr({w.ref(name)}, 'total', lambda self: 0)",
                f"{w.ref(name)}.__doc__ = 'doc'",
                f"setattr({w.ref(name)}, '__repr__', lambda self: 'nt')",
                f"{w.ref(name)}._field_defaults['b'] = 4",
            )
        )
    for _ in range(2):
        w.read(w.rng.choice(reads))


@recipe(1)
def typed_dict(w: Writer) -> None:
    """A TypedDict."""
    name = w.name("T")
    w.define(f"class {name}(TypedDict{w.pick('', ', total=False')}):\n    a: int\n    b: str")
    ref = w.ref(name)
    if w.maybe(0.4):
        w.change(
            w.pick(
                f"{ref}.__annotations__['c'] = int",
                f"setattr({ref}, 'added', 1)",
                f"setattr({ref}, '__total__', None)",
                f"{ref}.__doc__ = 'x'",
            )
        )
    w.read(
        w.pick(
            f"sorted({ref}.__annotations__)",
            f"{ref}(a=1, b='x')",
            f"{ref}.__total__",
            f"sorted({ref}.__required_keys__)",
            f"getattr({ref}, 'added', 'none')",
        )
    )


@recipe(4)
def enumeration(w: Writer) -> None:
    """An enum, with fields of its own or methods, or flags."""
    name, const = w.name("E"), w.name("FIRST")
    kind = w.pick("plain", "plain", "fields", "init", "str", "int", "flag", "auto", "missing", "functional", "next")
    w.define(f"{const}: int = {w.value('int')}")
    if kind == "plain":
        w.define(
            f"class {name}(enum.Enum):\n    A = {const}\n    B = {w.value('str')}\n    C = {const}\n    def next(self) -> str:\n        return self.name + '!'"
        )
    elif kind == "fields":
        w.define(
            f"class {name}(enum.Enum):\n    A = (1, 'one')\n    B = (2, {w.value('str')})\n    def __init__(self, n: int, word: str) -> None:\n        self.n = n\n        self.word = word\n        self.hits = 0"
        )
    elif kind == "init":
        w.define(
            f"class {name}(enum.Enum):\n    A = 1\n    B = 2\n    def __init__(self, n: int) -> None:\n        self.hits = 0\n        self._seen: {w.pick('list[int] = []', 'tuple[int, ...] = ()')}\n    def seen(self) -> int:\n        return len(self._seen)"
        )
    elif kind == "str":
        w.define(f"class {name}({w.pick('str, enum.Enum', 'enum.StrEnum')}):\n    A = 'a'\n    B = {w.value('str')}")
    elif kind == "int":
        w.define(f"class {name}(enum.IntEnum):\n    A = 1\n    B = {const}")
    elif kind == "flag":
        w.define(f"class {name}({w.pick('enum.Flag', 'enum.IntFlag')}):\n    A = 1\n    B = 2\n    AB = 3")
    elif kind == "auto":
        w.define(f"class {name}(enum.Enum):\n    A = enum.auto()\n    B = enum.auto()")
    elif kind == "missing":
        w.define(
            f"class {name}(enum.Enum):\n    A = 1\n    B = 2\n    @classmethod\n    def _missing_(cls, value: object) -> Any:\n        return cls.A if value == {const} else None"
        )
    elif kind == "next":
        w.define(
            f"class {name}(enum.Enum):\n    @staticmethod\n    def _generate_next_value_(name: str, start: int, count: int, last: list[int]) -> Any:\n        return name.lower()\n    A = enum.auto()\n    B = enum.auto()"
        )
    else:
        w.define(f"{name} = enum.Enum({name!r}, 'A B')")
    ref = w.ref(name)
    for _ in range(w.rng.randint(0, 2)):
        changes = [
            f"setattr({ref}, 'extra', {w.value('int')})",
            f"setattr({ref}.A, 'label', {w.value('str')})",
            f"{ref}.__doc__ = 'late'",
            f"setattr({ref}, '__str__', lambda self: 'S')",
            f"setattr({ref}.A, '_value_', 50)",
            f"setattr({ref}, 'next', lambda self: 'n')",
            f"{ref}.B.__dict__['label'] = 1",
        ]
        if kind == "fields":
            changes += [
                f"{ref}.A.n = 50",
                f"{ref}.B.hits += 4",
                f"{ref}.A.word, {ref}.B.word = 'u', 'v'",
                f"for {ref}.A.hits in (3, 4):\n    pass",
            ] * 2
        if kind == "init":
            changes += [
                f"{ref}.A.hits += 5",
                f"{ref}.B._seen += (1,)  # type: ignore[arg-type, operator]",
                f"{ref}.A.hits = 3",
            ] * 2
        w.change(w.rng.choice(changes))
    if w.maybe(0.25):
        w.change_global(const, "int")
    reads = [
        f"{ref}.A",
        f"{ref}.A.value",
        f"{ref}['B']",
        f"list({ref})",
        f"{ref}.A is {ref}['A']",
        f"repr({ref}.A)",
        f"str({ref}.B)",
        f"getattr({ref}, 'extra', 'none')",
        f"getattr({ref}.A, 'label', 'none')",
        f"sorted({ref}.__members__)",
        f"isinstance({ref}.A, {ref})",
        f"{ref}.__doc__",
        f"{ref}({ref}.B.value)",
        f"len({ref})",
    ]
    if kind == "fields":
        reads += [f"({ref}.A.n, {ref}.A.word, {ref}.A.hits)", f"({ref}.B.n, {ref}.B.word, {ref}.B.hits)"] * 3
    if kind == "init":
        reads += [f"{ref}.A.hits", f"{ref}.B.seen()", f"{ref}.A.seen()"] * 3
    if kind == "flag":
        reads += [f"{ref}.A | {ref}.B", f"{ref}.A in {ref}.AB", f"({ref}.A | {ref}.B) is {ref}.AB", f"~{ref}.A"]
    if kind == "plain":
        reads += [f"{ref}.A.next()", f"getattr({ref}, 'C') is {ref}.A"]
    if kind == "missing":
        reads.append(f"{ref}({w.ref(const)})")
    for _ in range(w.rng.randint(1, 3)):
        w.read(w.rng.choice(reads))


@recipe(2)
def attrs_class(w: Writer) -> None:
    """A class of attrs."""
    name, const, helper = w.name("A"), w.name("DEFAULT"), w.name("convert")
    how = w.pick("attrs.frozen", "attrs.frozen", "attrs.define", "attrs.frozen(slots=False)")
    w.define(f"{const}: int = {w.value('int')}", f"def {helper}(x: Any) -> int:\n    return int(x) + {const}")
    second = w.pick(
        f"b: int = {const}",
        f"b: int = attrs.field(factory=lambda: {const} + 1)",
        f"b: int = attrs.field(default=1, converter={helper})",
        "b: int = attrs.field(default=3, validator=attrs.validators.ge(0))",
        f"b: int = attrs.field(default={const}, repr=False, metadata={{'u': 1}})",
    )
    w.define(
        f"@{how}\nclass {name}:\n    a: int\n    {second}\n    def total(self) -> int:\n        return self.a + self.b"
    )
    ref = w.ref(name)
    if w.maybe(0.4):
        w.change_global(const, "int")
    if w.maybe(0.3):
        w.change(
            w.pick(
                f"setattr({ref}, 'added', 1)",
                f"setattr({ref}, 'total', lambda self: -1)",
                f"{ref}.__doc__ = 'late'",
                f"{ref}.__init__.__defaults__ = (8,)",
            )
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{ref}(1)",
                f"{ref}(1).b",
                f"{ref}(1).total()",
                f"[f.name for f in attrs.fields({ref})]",
                f"attrs.asdict({ref}(2))",
                f"attrs.evolve({ref}(1), a=3)",
                f"{ref}(1) == {ref}(1)",
                f"repr({ref}(4))",
                f"getattr({ref}, 'added', 'none')",
                f"str(inspect.signature({ref}))",
            )
        )


@recipe(2)
def protocol_or_abc(w: Writer) -> None:
    """A protocol or an abstract class, and what counts as its subclasses."""
    base, one, two = w.name("P"), w.name("One"), w.name("Two")
    kind = w.pick("protocol", "abc", "abc", "hook")
    if kind == "protocol":
        w.define(f"@runtime_checkable\nclass {base}(Protocol):\n    def speak(self) -> str: ...")
    elif kind == "abc":
        w.define(f"class {base}(abc.ABC):\n    @abc.abstractmethod\n    def speak(self) -> str: ...")
    else:
        w.define(
            f"class {base}(abc.ABC):\n    @classmethod\n    def __subclasshook__(cls, other: type) -> Any:\n        return hasattr(other, 'speak')\n    def speak(self) -> str:\n        return 'base'"
        )
    w.define(
        f"class {one}{w.pick('', f'({base})')}:\n    def speak(self) -> str:\n        return {w.value('str')}",
        f"class {two}:\n    n: int = 1",
    )
    ref = w.ref(base)
    if kind != "protocol" and w.maybe(0.6):
        w.change(w.pick(f"{ref}.register({w.ref(two)})", f"{ref}.register(int)", f"{ref}.register({w.ref(one)})"))
    if w.maybe(0.25):
        w.change(w.pick(f"setattr({w.ref(two)}, 'speak', lambda self: 'now')", f"delattr({w.ref(one)}, 'speak')"))
    for _ in range(2):
        w.read(
            w.pick(
                f"isinstance({w.ref(one)}(), {ref})",
                f"isinstance({w.ref(two)}(), {ref})",
                f"issubclass(int, {ref})",
                f"sorted(c.__name__ for c in {ref}.__subclasses__())",
                f"{w.ref(one)}().speak()",
                f"sorted(getattr({ref}, '__abstractmethods__', ()))",
                f"inspect.isabstract({ref})",
            )
        )


@recipe(2)
def generic(w: Writer) -> None:
    """A generic class."""
    var, name = w.name("T"), w.name("G")
    w.define(
        f"{var} = TypeVar({var!r})",
        f"@dataclass(frozen=True)\nclass {name}(Generic[{var}]):\n    item: {var}\n    def get(self) -> {var}:\n        return self.item",
        f"{name}Int = {name}[int]",
        f"class {name}Sub({name}[str]):\n    size: int = 2",
    )
    ref = w.ref(name)
    if w.maybe(0.3):
        w.change(
            w.pick(f"setattr({ref}, 'added', 3)", f"{ref}.__doc__ = 'g'", f"setattr({w.ref(name + 'Sub')}, 'size', 9)")
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{ref}(1).get()",
                f"{ref}[int](2)",
                f"{w.ref(name + 'Int')}(4).item",
                f"{w.ref(name + 'Sub')}('x').size",
                f"typing.get_origin({w.ref(name + 'Int')}) is {ref}",
                f"[str(a) for a in typing.get_args({w.ref(name + 'Int')})]",
                f"len({ref}.__parameters__)",
                f"{w.ref(name + 'Sub')}.__orig_bases__[0].__args__",
                f"getattr({ref}, 'added', 'none')",
                f"{w.ref(name + 'Int')} == {ref}[int]",
            )
        )


@recipe(2)
def metaclass(w: Writer) -> None:
    """A class with a metaclass of the user."""
    meta, name = w.name("Meta"), w.name("M")
    kind = w.pick("registry", "call", "iter", "attr", "new", "instances")
    bodies = {
        "registry": "names: tuple[str, ...] = ()\n    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:\n        super().__init__(name, bases, namespace)\n        {m}.names = (*{m}.names, name)",
        "call": "def __call__(cls, *args: Any) -> Any:\n        made = super().__call__(*args)\n        made.mark = cls.__name__\n        return made",
        "iter": "def __iter__(cls) -> Iterator[int]:\n        yield from (1, 2)\n    def __len__(cls) -> int:\n        return 2\n    def __getitem__(cls, n: int) -> int:\n        return n",
        "attr": "limit: int = 4\n    @property\n    def title(cls) -> str:\n        return cls.__name__.lower()",
        "new": "def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:\n        return super().__new__(mcs, name, bases, namespace | {{'given': name}})",
        "instances": "made: dict[str, Any] = {{}}\n    def __call__(cls, *args: Any) -> Any:\n        if cls.__name__ not in {m}.made:\n            {m}.made[cls.__name__] = super().__call__(*args)\n        return {m}.made[cls.__name__]",
    }
    w.define(
        f"class {meta}(type):\n    " + bodies[kind].format(m=meta),
        f"class {name}(metaclass={meta}):\n    n: int = 1\n    def __init__(self) -> None:\n        self.level = 1",
    )
    ref = w.ref(name)
    if w.maybe(0.4):
        w.define(f"class {name}b({name}):\n    pass")
    if w.maybe(0.4):
        w.change(
            w.pick(
                f"setattr({w.ref(meta)}, 'limit', 40)",
                f"setattr({ref}, 'given', 'x')",
                f"setattr({ref}, 'n', 5)",
                f"setattr({w.ref(meta)}, 'names', ('z',))",
                f"setattr({ref}, 'limit', 3)",
            )
        )
    if kind == "instances" and w.maybe():
        w.change(f"{ref}().level = 9")
    reads = {
        "registry": [f"{w.ref(meta)}.names", f"{ref}.names"],
        "call": [f"getattr({ref}(), 'mark', 'none')"],
        "iter": [f"list({ref})", f"len({ref})", f"{ref}[4]"],
        "attr": [f"{ref}.limit", f"{ref}.title"],
        "new": [f"getattr({ref}, 'given', 'none')"],
        "instances": [f"{ref}().level", f"{ref}() is {ref}()"],
    }[kind]
    for _ in range(2):
        w.read(w.pick(*reads, f"{ref}.n", f"type({ref}) is {w.ref(meta)}", f"{ref}().level", f"type({ref}).__name__"))


@recipe(2)
def subclass_registry(w: Writer) -> None:
    """Classes that are registered when they are made."""
    base, a, b = w.name("Base"), w.name("Ra"), w.name("Rb")
    kind = w.pick("tuple", "dict", "list", "keyword", "decorator", "subclasses")
    if kind == "tuple":
        w.define(
            f"class {base}:\n    names: ClassVar[tuple[str, ...]] = ()\n    def __init_subclass__(cls) -> None:\n        {base}.names = (*{base}.names, cls.__name__)"
        )
    elif kind in {"dict", "list"}:
        start, add = ("{}", "[cls.__name__] = cls") if kind == "dict" else ("[]", ".append(cls)")
        shape = "dict[str, Any]" if kind == "dict" else "list[Any]"
        w.define(
            f"class {base}:\n    made: ClassVar[{w.pick(shape, f'PerProcess[{shape}]')}] = {start}\n    def __init_subclass__(cls) -> None:\n        {base}.made{add}"
        )
    elif kind == "keyword":
        w.define(
            f"class {base}:\n    key: str = 'none'\n    def __init_subclass__(cls, key: str = 'auto') -> None:\n        cls.key = key"
        )
    elif kind == "subclasses":
        w.define(f"class {base}:\n    pass")
    else:
        w.define(
            f"{base}_all: {w.pick('dict[str, Any]', 'PerProcess[dict[str, Any]]')} = {{}}",
            f"def {base}_add(cls: Any) -> Any:\n    {base}_all[cls.__name__] = cls\n    return cls",
            f"class {base}:\n    pass",
        )
    for each in (a, b):
        arguments = f"({base}, key={w.value('str')})" if kind == "keyword" and w.maybe(0.7) else f"({base})"
        decorator = f"@{base}_add\n" if kind == "decorator" else ""
        w.define(f"{decorator}class {each}{arguments}:\n    n: int = {w.value('int')}")
    ref = w.ref(base)
    if w.maybe(0.4):
        w.change(
            w.pick(
                f"setattr({w.ref(a)}, 'n', 100)",
                f"type('Late', ({ref},), {{}})",
                {
                    "tuple": f"{ref}.names = ('only',)",
                    "keyword": f"{w.ref(a)}.key = 'new'",
                    "dict": f"{ref}.made.pop({a!r})",
                    "list": f"{ref}.made.clear()",
                }.get(kind, f"setattr({w.ref(b)}, 'n', 7)"),
            )
        )
    reads = {
        "tuple": [f"{ref}.names", f"{w.ref(a)}.names"],
        "dict": [f"sorted({ref}.made)", f"{ref}.made[{b!r}]().n"],
        "list": [f"[c.__name__ for c in {ref}.made]", f"[c.n for c in {ref}.made]"],
        "keyword": [f"({w.ref(a)}.key, {w.ref(b)}.key)", f"{ref}.key"],
        "decorator": [f"sorted({w.ref(base + '_all')})", f"{w.ref(base + '_all')}[{a!r}] is {w.ref(a)}"],
        "subclasses": [f"sorted(c.__name__ for c in {ref}.__subclasses__())", f"len({ref}.__subclasses__())"],
    }[kind]
    for _ in range(2):
        w.read(w.pick(*reads, *reads, f"{w.ref(a)}().n", f"sorted(c.__name__ for c in {ref}.__subclasses__())"))


@recipe(1)
def class_decorator(w: Writer) -> None:
    """A class behind a decorator that gives something else."""
    deco, name = w.name("deco"), w.name("X")
    kind = w.pick("instance", "attribute", "subclass", "dataclass", "wrapper", "ordering")
    body = "n: int = 3\n    def hi(self) -> str:\n        return 'hi'"
    if kind == "ordering":
        w.define(
            f"@functools.total_ordering\nclass {name}:\n    def __init__(self, n: int = 1) -> None:\n        self.n = n\n    def __eq__(self, other: object) -> bool:\n        return isinstance(other, {name}) and self.n == other.n\n    def __lt__(self, other: Any) -> bool:\n        return bool(self.n < other.n)\n    def hi(self) -> str:\n        return 'hi'"
        )
        reads = [
            f"{w.ref(name)}(1) >= {w.ref(name)}(0)",
            f"{w.ref(name)}(1) <= {w.ref(name)}(1)",
            f"max({w.ref(name)}(1), {w.ref(name)}(4)).n",
        ]
    else:
        made = {
            "instance": "return cls()",
            "attribute": "cls.mark = 'm'\n    cls.old = cls.hi\n    return cls",
            "subclass": "return type(cls.__name__ + 'Sub', (cls,), {'mark': 's'})",
            "dataclass": "return dataclasses.dataclass(frozen=True)(cls)",
            "wrapper": "def hi(self: Any) -> str:\n        return 'wrapped'\n    cls.hi = hi\n    return cls",
        }[kind]
        w.define(f"def {deco}(cls: Any) -> Any:\n    {made}", f"@{deco}\nclass {name}:\n    {body}")
        ref = w.ref(name)
        reads = (
            [f"{ref}.hi()", f"{ref}.n", f"type({ref}).__name__"]
            if kind == "instance"
            else [
                f"{ref}().hi()",
                f"{ref}.n",
                f"getattr({ref}, 'mark', 'none')",
                f"{ref}.__name__",
                f"[c.__name__ for c in {ref}.__mro__]",
            ]
        )
        if w.maybe(0.4):
            w.change(f"setattr({ref}, 'n', 8)")
    for _ in range(2):
        w.read(w.rng.choice(reads))


@recipe(2)
def local_class(w: Writer) -> None:
    """A class made in a function, with cells."""
    make, name = w.name("make"), w.name("L")
    w.define(
        f"def {make}(n: int, word: str = 'w') -> Any:\n    {w.pick('', '@dataclass(frozen=True)' + chr(10) + '    ')}class Local:\n        size: int = n\n        def get(self) -> object:\n            return n, word\n        @classmethod\n        def of(cls) -> Any:\n            return cls()\n        def own(self) -> object:\n            return __class__.__name__  # type: ignore[name-defined]\n    return Local",
        f"{name} = {make}({w.value('int')})",
    )
    ref = w.ref(name)
    if w.maybe(0.4):
        w.change(
            w.pick(f"setattr({ref}, 'size', 50)", f"{ref}.__name__ = 'Other'", f"setattr({ref}, 'get', lambda self: 0)")
        )
    if w.maybe(0.3):
        w.define(f"class {name}Sub({name}):\n    pass" if w.maybe() else f"{name}Sub = {make}(1)")
        w.read(f"{w.ref(name + 'Sub')}().get()")
    for _ in range(2):
        w.read(
            w.pick(
                f"{ref}().get()",
                f"{ref}.size",
                f"type({ref}.of()) is {ref}",
                f"{ref}.__qualname__",
                f"{ref}.__name__",
                f"{ref}().own()",
            )
        )


@recipe(2)
def descriptor(w: Writer) -> None:
    """A descriptor written in Python, and its state."""
    kind, name = w.name("Desc"), w.name("C")
    w.define(
        f"class {kind}:\n    def __init__(self, most: int) -> None:\n        self.most = most\n        self.name = ''\n    def __set_name__(self, owner: type, name: str) -> None:\n        self.name = name\n    def __get__(self, instance: object, owner: Any = None) -> Any:\n        return self.most, self.name\n    {w.pick('', 'def __set__(self, instance: object, value: int) -> None:' + chr(10) + '        instance.__dict__[self.name] = value')}\n    def grow(self) -> None:\n        self.most += 1",
        f"class {name}:\n    limit = {kind}({w.value('int')})\n    other = {kind}(2)",
    )
    ref = w.ref(name)
    if w.maybe(0.7):
        w.change(
            w.pick(
                f"vars({ref})['limit'].most = 99",
                f"vars({ref})['limit'].grow()",
                f"setattr({ref}, 'limit', {w.ref(kind)}(44))",
                f"setattr(vars({ref})['other'], 'name', 'nn')",
                f"setattr({ref}, 'limit', 5)",
                f"setattr({w.ref(kind)}, '__get__', lambda *args: 'patched')",
            )
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{ref}.limit",
                f"{ref}().limit",
                f"{ref}.other",
                f"getattr({ref}, 'limit', None)",
                f"vars({ref})['limit'].most",
                f"[{ref}.limit, {ref}.other]",
            )
        )


@recipe(2)
def properties(w: Writer) -> None:
    """Properties, cached ones too, and an instance of a module."""
    name, one = w.name("C"), w.name("ONE")
    kind = w.pick("property", "cached", "setter", "lambda")
    text = {
        "property": "@property\n    def p(self) -> object:\n        return self.n + 1",
        "cached": "@functools.cached_property\n    def p(self) -> object:\n        return (self.n, 'cached')",
        "setter": "@property\n    def p(self) -> Any:\n        return self.n * 2\n    @p.setter\n    def p(self, value: Any) -> None:\n        object.__setattr__(self, 'n', value)",
        "lambda": "p = property(lambda self: self.n)",
    }[kind]
    w.define(f"@dataclass(frozen=True)\nclass {name}:\n    n: int = {w.value('int')}\n    {text}", f"{one} = {name}()")
    if w.maybe(0.6):
        w.change(
            w.pick(
                f"setattr({w.ref(name)}, 'p', property(lambda self: 'new'))",
                f"{w.ref(one)}.p",
                f"object.__setattr__({w.ref(one)}, 'n', 70)",
                f"setattr({w.ref(name)}, 'q', property(lambda self: 1))",
                f"{w.ref(one)}.__dict__['p'] = 'forged'",
            )
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{w.ref(one)}.p",
                f"{w.ref(name)}(3).p",
                f"isinstance(vars({w.ref(name)})['p'], property)",
                f"vars({w.ref(name)})['p'].__doc__",
                f"getattr({w.ref(one)}, 'q', 'none')",
            )
        )


@recipe(2)
def class_state(w: Writer) -> None:
    """Counters, singletons and other state of a class that code changes."""
    name = w.name("S")
    kind = w.pick("counter", "singleton", "classmethod", "new", "list")
    bodies = {
        "counter": "n: int = 0\n    def __init__(self) -> None:\n        {c}.n += 1",
        "singleton": "current: Any = None\n    level: int = 1\n    @classmethod\n    def get(cls) -> Any:\n        if cls.current is None:\n            cls.current = cls()\n        return cls.current",
        "classmethod": "n: int = 0\n    @classmethod\n    def hit(cls) -> int:\n        cls.n += 1\n        return cls.n",
        "new": "_one: Any = None\n    def __new__(cls) -> Any:\n        if cls._one is None:\n            cls._one = super().__new__(cls)\n        return cls._one\n    level: int = 1",
        "list": "seen: ClassVar[list[int]] = []\n    def add(self, n: int) -> None:\n        self.seen.append(n)",
    }
    w.define(f"class {name}:\n    " + bodies[kind].format(c=name))
    ref = w.ref(name)
    act = {
        "counter": f"{ref}()",
        "singleton": f"{ref}.get().level = 9",
        "classmethod": f"{ref}.hit()",
        "new": f"{ref}().level = 9",
        "list": f"{ref}().add(3)",
    }[kind]
    if w.maybe(0.7):
        w.change(act)
    quiet = {
        "counter": f"{ref}.n",
        "singleton": f"getattr({ref}.current, 'level', 'none')",
        "classmethod": f"{ref}.n",
        "new": f"getattr({ref}._one, 'level', 'none')",
        "list": f"{ref}.seen",
    }[kind]
    loud = {
        "counter": f"(type({ref}()), {ref}.n)",
        "singleton": f"{ref}.get().level",
        "classmethod": f"{ref}.hit()",
        "new": f"{ref}().level",
        "list": f"({ref}().add(1), len({ref}.seen))",
    }[kind]
    if w.maybe(0.6):
        w.read(quiet)
    else:
        w.loses = True
        w.read(loud)


@recipe(2)
def lost_write(w: Writer) -> None:
    """A function that writes what nobody outside will see."""
    name, value, conf = w.name("S"), w.value("int"), w.name("LEVEL")
    w.define(
        f"class {name}:\n    n: int = 0\n    names: ClassVar[tuple[str, ...]] = ()\n    table: ClassVar[dict[str, int]] = {{}}",
        f"{conf}: int = 1",
        f"def {name}_f() -> None:\n    pass",
    )
    ref = w.ref(name)
    act = w.pick(
        f"{ref}.n += {value}",
        f"{ref}.n = {value}",
        f"setattr({ref}, 'n', {value})",
        f"del {ref}.n",
        f"type({ref}()).n = {value}",
        f"{ref}.table['x'] = 1",
        f"setattr({w.ref(name + '_f')}, 'calls', 1)",
        f"{ref}.names, _x = ('a',), 1",
        f"for {ref}.n in (1, 2):\n    pass",
        f"{ref}().__class__.n = {value}",
        f"{ref}.table.update(a=1)",
        *([f"o.{conf} = {value}", f"o.{conf} += 2"] if w.is_foreign else []),
        f"with contextlib.nullcontext(4) as {ref}.n:\n    pass",
    )
    w.loses = True
    w.read(w.pick(f"getattr({ref}, 'n', 'gone')", "1"), act)


@recipe(2)
def caches(w: Writer) -> None:
    """Functions behind a cache."""
    name, const = w.name("cached"), w.name("K")
    shape = w.pick("int", "str", "tuple[int, ...]", "list[int]")
    w.define(f"{const}: int = {w.value('int')}")
    result = {
        "int": f"n + {const}",
        "str": f"str(n + {const})",
        "tuple[int, ...]": f"(n, {const})",
        "list[int]": f"[n, {const}]",
    }[shape]
    w.define(
        f"@functools.{w.pick('cache', 'lru_cache', 'lru_cache(maxsize=4)', 'lru_cache(maxsize=None, typed=True)')}\ndef {name}(n: int) -> {shape}:\n    'doc'\n    return {result}"
    )
    ref = w.ref(name)
    if w.maybe(0.5):
        w.change(f"{ref}(1)")
    if w.maybe(0.3):
        w.change_global(const, "int")
    if shape == "list[int]" and w.maybe():
        w.change(f"{ref}(1).append(42)")
    w.read(
        w.pick(
            f"{ref}(1)",
            f"{ref}(2)",
            f"{ref}.__name__",
            f"{ref}.__wrapped__(3)",
            f"{ref}.cache_parameters()['maxsize']",
            f"{ref}.__doc__",
        )
    )
    if w.maybe(0.4):
        w.read(f"{ref}(1)")


@recipe(2)
def dispatch(w: Writer) -> None:
    """A singledispatch function."""
    name, cls = w.name("show"), w.name("Q")
    w.define(
        f"class {cls}:\n    pass",
        f"@functools.singledispatch\ndef {name}(x: object) -> str:\n    return 'object'",
        f"@{name}.register\ndef _{w.name('s')}(x: int) -> str:\n    return {w.value('str')}",
        f"@{name}.register({cls})\ndef {name}_own(x: Any) -> str:\n    return 'own'",
    )
    if w.maybe(0.5):
        w.change(
            w.pick(
                f"{w.ref(name)}.register(str, lambda x: 'late')",
                f"{w.ref(name)}.register({w.ref(cls)}, lambda x: 'over')",
                f"{w.ref(name)}.register(list)(lambda x: 'listed')",
            )
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{w.ref(name)}(1)",
                f"{w.ref(name)}('x')",
                f"{w.ref(name)}({w.ref(cls)}())",
                f"{w.ref(name)}([])",
                f"{w.ref(name)}.dispatch(bool)(True)",
                f"len({w.ref(name)}.registry)",
                f"{w.ref(name)}.__name__",
                f"{w.ref(name)}(None)",
            )
        )


@recipe(1)
def dispatch_method(w: Writer) -> None:
    """Singledispatchmethod and partialmethod."""
    name = w.name("V")
    w.define(
        f"class {name}:\n    @functools.singledispatchmethod\n    def go(self, x: object) -> str:\n        return 'o'\n    @go.register\n    def _(self, x: int) -> str:\n        return {w.value('str')}\n    def set(self, a: int, b: int) -> tuple[int, int]:\n        return a, b\n    both = functools.partialmethod(set, {w.value('int')})"
    )
    ref = w.ref(name)
    if w.maybe(0.4):
        w.change(
            w.pick(
                f"vars({ref})['go'].register(str, lambda self, x: 'late')",
                f"setattr({ref}, 'set', lambda self, a, b: 'new')",
                f"setattr({ref}, 'both', functools.partialmethod({ref}.set, 1))",
            )
        )
    w.read(w.pick(f"{ref}().go(1)", f"{ref}().go('x')", f"{ref}().both(2)", f"{ref}().both(b=3)"))


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


@recipe(2)
def operators(w: Writer) -> None:
    """A class whose operators use helpers that nothing else names."""
    name, helper, const = w.name("Op"), w.name("help"), w.name("SCALE")
    w.define(f"{const}: int = {w.value('int')}", f"def {helper}(x: int) -> int:\n    return x * {const}")
    methods = {
        "__add__(self, o: Any) -> Any": (f"{name}({helper}(self.n))", f"({w.ref(name)}(2) + 1).n"), "__iadd__(self, o: Any) -> Any": (f"{name}({helper}(o))", ""), "__eq__(self, o: object) -> bool": (f"{helper}(self.n) == 4", f"{w.ref(name)}(2) == 1"),
        "__lt__(self, o: Any) -> bool": (f"{helper}(self.n) < {helper}(o.n)", f"sorted([{w.ref(name)}(3), {w.ref(name)}(1)])[0].n"), "__len__(self) -> int": (f"{helper}(2)", f"len({w.ref(name)}(1))"), "__iter__(self) -> Iterator[int]": (f"iter([{helper}(1)])", f"[x for x in {w.ref(name)}(1)]"),
        "__getitem__(self, k: int) -> int": (f"{helper}(k)", f"{w.ref(name)}(1)[3]"), "__contains__(self, k: int) -> bool": (f"k == {helper}(1)", f"3 in {w.ref(name)}(1)"), "__bool__(self) -> bool": (f"{helper}(self.n) > 3", f"'yes' if {w.ref(name)}(0) else 'no'"),
        "__format__(self, spec: str) -> str": (f"str({helper}(1)) + spec", f"f'{{{w.ref(name)}(1):>5}}'"), "__call__(self, k: int) -> int": (f"{helper}(k)", f"{w.ref(name)}(1)(2)"), "__hash__(self) -> int": (f"{helper}(7)", f"hash({w.ref(name)}(1))"),
        "__int__(self) -> int": (f"{helper}(self.n)", f"int({w.ref(name)}(4))"), "__index__(self) -> int": (f"{helper}(0)", f"[5, 6][{w.ref(name)}(0)]"), "__repr__(self) -> str": (f"str({helper}(self.n))", f"repr([{w.ref(name)}(2)])"), "__abs__(self) -> int": (f"{helper}(1)", f"abs({w.ref(name)}(1))"),
        "__rsub__(self, o: int) -> int": (f"{helper}(o)", f"9 - {w.ref(name)}(1)"), "__invert__(self) -> int": (f"{helper}(1)", f"~{w.ref(name)}(1)"), "__reversed__(self) -> Any": (f"iter([{helper}(2)])", f"list(reversed({w.ref(name)}(1)))"), "__round__(self, d: int = 0) -> int": (f"{helper}(1)", f"round({w.ref(name)}(1))"),
    }  # fmt: skip
    chosen = w.rng.sample(list(methods), 3)
    w.define(
        f"class {name}:\n    def __init__(self, n: int) -> None:\n        self.n = n\n    "
        + "\n    ".join(f"def {key}:\n        return {methods[key][0]}" for key in chosen)
    )
    if w.maybe(0.3):
        w.change_global(const, "int")
    if w.maybe(0.2):
        w.change(f"setattr({w.ref(name)}, {chosen[0].partition('(')[0]!r}, lambda self, *args: 1)")
    for key in chosen[:2]:
        if methods[key][1]:
            w.read(methods[key][1])
    if "__iadd__" in chosen[0]:
        w.read("thing_.n", f"thing_ = {w.ref(name)}(1)\nthing_ += 3")


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
def exceptions(w: Writer) -> None:
    """An exception class of the user, raised and caught, or let out."""
    name = w.name("Oops")
    w.define(
        f"class {name}(Exception):\n    code: int = {w.value('int')}\n    def __init__(self, what: str) -> None:\n        super().__init__(what)\n        self.what = what",
        f"def {name}_raise() -> None:\n    raise {name}('it')",
        f"def {name}_catch() -> object:\n    try:\n        {name}_raise()\n    except {name} as error:\n        return error.what, error.code, type(error).__name__, str(error)\n    return None",
    )
    if w.maybe(0.4):
        w.change(w.pick(f"{w.ref(name)}.code = 99", f"setattr({w.ref(name)}, '__str__', lambda self: 'words')"))
    w.read(f"{w.ref(name + '_catch')}()" if w.maybe(0.7) else f"{w.ref(name + '_raise')}()")  # type: ignore[func-returns-value]


@recipe(1)
def generators(w: Writer) -> None:
    """Generator functions, context managers, recursion."""
    name, const = w.name("gen"), w.name("N")
    w.define(f"{const}: int = {w.value('int')}")
    kind = w.pick("gen", "context", "recursive", "mutual", "match", "walrus")
    if kind == "gen":
        w.define(f"def {name}(n: int) -> Iterator[int]:\n    for i in range(n):\n        yield i + {const}")
        use = f"list({w.ref(name)}(3))"
    elif kind == "context":
        w.define(
            f"@contextlib.contextmanager\ndef {name}(n: int) -> Iterator[int]:\n    yield n + {const}",
            f"def {name}_use() -> int:\n    with {name}(1) as got:\n        return got",
        )
        use = f"{w.ref(name + '_use')}()"
    elif kind == "recursive":
        w.define(f"def {name}(n: int) -> int:\n    return {const} if n == 0 else n + {name}(n - 1)")
        use = f"{w.ref(name)}(3)"
    elif kind == "mutual":
        w.define(
            f"def {name}(n: int) -> int:\n    return {name}_b(n - 1) if n else {const}",
            f"def {name}_b(n: int) -> int:\n    return {name}(n - 1) if n > 0 else -1",
        )
        use = f"{w.ref(name)}(4)"
    elif kind == "match":
        w.define(
            f"@dataclass(frozen=True)\nclass {name}_P:\n    x: int\n    y: int",
            f"def {name}(p: object) -> object:\n    match p:\n        case {name}_P(x, 1):\n            return x + {const}\n        case [a, *rest]:\n            return rest\n        case _:\n            return 'other'",
        )
        use = w.pick(f"{w.ref(name)}({w.ref(name + '_P')}(2, 1))", f"{w.ref(name)}([1, 2])", f"{w.ref(name)}(None)")
    else:
        w.define(f"def {name}() -> object:\n    return [y for x in range(3) if (y := x * {const})]")
        use = f"{w.ref(name)}()"
    if w.maybe(0.4):
        w.change_global(const, "int")
    w.read(use)


@recipe(2)
def nested(w: Writer) -> None:
    """Classes in classes."""
    name = w.name("Out")
    w.define(
        f"class {name}:\n    class Mid:\n        n: int = {w.value('int')}\n        class In:\n            word: str = {w.value('str')}\n            def hi(self) -> str:\n                return self.word\n        @dataclass(frozen=True)\n        class Data:\n            a: int = 1\n        class Kind(enum.Enum):\n            A = 1\n    class Error(Exception):\n        pass"
    )
    ref = w.ref(name)
    if w.maybe(0.6):
        w.change(
            w.pick(
                f"{ref}.Mid.n = 9",
                f"{ref}.Mid.In.word = 'new'",
                f"setattr({ref}.Mid.In, 'hi', lambda self: 'patched')",
                f"setattr({ref}.Mid, 'In', type('In', (), {{'word': 'swapped', 'hi': lambda self: 'swapped'}}))",
                f"setattr({ref}.Mid, 'added', {ref})",
                f"setattr({ref}.Mid.Kind.A, 'label', 1)",
            )
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{ref}.Mid.n",
                f"{ref}.Mid.In().hi()",
                f"{ref}.Mid.In.word",
                f"{ref}.Mid.Data()",
                f"{ref}.Mid.Kind.A",
                f"getattr({ref}.Mid, 'added', None) is {ref}",
                f"{ref}.Mid.In.__qualname__",
                f"getattr({ref}.Mid.Kind.A, 'label', 'none')",
                f"issubclass({ref}.Error, Exception)",
            )
        )


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
