"""Recipes for functions: defaults, closures, decorators, partials, caches, dispatch."""

from __future__ import annotations

from writer import Writer, recipe


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
