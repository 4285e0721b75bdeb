"""Recipes for classes: attributes, bases, nesting, descriptors, state, operators."""

from __future__ import annotations

from writer import Writer, recipe


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
        w.reads.append(("", loud))


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
