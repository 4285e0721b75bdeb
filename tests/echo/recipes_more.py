"""Recipes for what else can be read of entities: overloads, statistics, types of fields, values that hold each other, what libraries call."""

from __future__ import annotations

from writer import Writer, recipe


@recipe(2)
def overloads(w: Writer) -> None:
    """A function with overloads."""
    name = w.name("over")
    w.define(
        f"@typing.overload\ndef {name}(x: int) -> int: ...",
        f"@typing.overload\ndef {name}(x: str, *, y: int = {w.value('int')}) -> str: ...",
        f"def {name}(x: int | str, *, y: int = 0) -> int | str:\n    'doc'\n    return x",
    )
    ref = w.ref(name)
    if w.maybe(0.3):
        w.change(w.pick("typing.clear_overloads()", f"typing.get_overloads({ref})[1].__kwdefaults__ = {{'y': 1}}"))
    for _ in range(2):
        w.read(
            w.pick(
                f"len(typing.get_overloads({ref}))",
                f"[o.__kwdefaults__ for o in typing.get_overloads({ref})]",
                f"[str(inspect.signature(o)) for o in typing.get_overloads({ref})]",
                f"{ref}({w.value('int')})",
                f"str(inspect.signature({ref}))",
            )
        )


@recipe(2)
def statistics(w: Writer) -> None:
    """How often a cache was asked."""
    name = w.name("cached")
    w.define(
        f"@functools.{w.pick('cache', 'lru_cache(maxsize=2)', 'lru_cache(maxsize=0)', 'lru_cache(typed=True)')}\n"
        f"def {name}(n: int, *more: int) -> int:\n    return 100 // n + len(more)"
    )
    ref = w.ref(name)
    for _ in range(w.rng.randint(0, 5)):
        n = w.rng.randint(1, 3)
        w.change(
            w.pick(f"{ref}({n})", f"{ref}({n})", f"{ref}({n}, 2)", f"{ref}.cache_clear()", f"with contextlib.suppress(ZeroDivisionError):\n    {ref}(0)")
        )  # fmt: skip
    w.read(w.pick(f"{ref}.cache_info()[:]", f"{ref}.cache_info().hits", f"getattr({ref}, 'cache_info')()[3]"))
    if w.maybe():
        w.keeps = True  # the host's own count goes up when it calls
        w.reads.append(("", f"({ref}(2), {ref}.cache_info().misses)"))


@recipe(2)
def annotated(w: Writer) -> None:
    """Annotations of a module and types of fields."""
    name, limit = w.name("F"), w.name("LIMIT")
    kind = w.pick("@dataclass(frozen=True)", "@dataclass", "@attrs.frozen", "@attrs.define")
    fields = "dataclasses.fields" if "dataclass" in kind else "attrs.fields"
    w.define(
        f"{limit}: {w.pick('int', 'Final', 'int | None')} = {w.value('int')}",
        f"{kind}\nclass {name}:\n    a: {w.pick('int', repr('int'), 'Any')} = 1\n    b: {w.pick('tuple[int, ...]', 'object', 'Callable[[], int] | None')} = ()",
        f"{kind}\nclass {name}Sub({name}):\n    c: {w.pick(name, repr(name), 'str')} = None  # type: ignore[assignment]",
    )
    ref, sub = w.ref(name), w.ref(name + "Sub")
    if w.maybe(0.4):
        w.change(
            w.pick(
                f"{ref}.__annotations__['a'] = bytes",
                f"{sub}.__annotations__['c'] = {ref}",
                f"setattr({fields}({ref})[0], 'type', float)" if "dataclass" in kind else f"{ref}.__annotations__.clear()",
                f"globals()['__annotations__'].pop({limit!r}, None)" if not (w.is_foreign or w.is_local) else f"setattr({ref}, 'a', 4)",
            )
        )  # fmt: skip
    reads = [
        f"[str(f.type) for f in {fields}({ref})]",
        f"[str(f.type) for f in {fields}({sub})]",
        f"sorted({sub}.__annotations__)",
        f"[f.name for f in {fields}({sub})]",
    ]
    if w.is_foreign:
        reads += [f"str(o.__annotations__[{limit!r}])", f"{limit!r} in typing.get_type_hints(o)"]
    elif not w.is_local:
        reads += [f"str(globals()['__annotations__'].get({limit!r}))", f"{limit!r} in globals()['__annotations__']"]
    for _ in range(2):
        w.read(w.rng.choice(reads))


@recipe(2)
def rings(w: Writer) -> None:
    """Frozen values that hold each other."""
    name = w.name("Side")
    a, b, c = (w.name(each) for each in ("LEFT", "RIGHT", "UP"))
    w.define(
        f"{w.pick('@dataclass(frozen=True, eq=False)', '@attrs.frozen(eq=False)')}\nclass {name}:\n    word: str\n    other: Any = None\n    def across(self) -> Any:\n        return self.other",
        f"{a}, {b}, {c} = {name}('a'), {name}('b'), {name}('c')",
        f"{a}_held = ({a}, {c})",
        f"def {a}_get(x: {name} = {a}) -> {name}:\n    return x",
    )
    r = w.ref
    for one in (a, b, c):
        other = w.pick(r(a), r(b), r(c), f"({r(a)}, {r(b)})", f"({r(b)}, ({r(c)},))")
        if w.maybe(0.8):
            w.change(f"object.__setattr__({r(one)}, 'other', {other})")
    for _ in range(3):
        w.read(
            w.pick(
                f"{r(a)}.other is {r(b)}", f"{r(b)}.across() is {r(a)}", f"{r(a + '_held')}[0] is {r(a)}", f"{r(a + '_get')}() is {r(a)}", f"{r(a + '_get')}().other is {r(b)}",
                f"{r(a + '_held')}[1] is {r(c)}", f"isinstance({r(c)}.other, tuple) and {r(c)}.other[0] is {r(a)}", f"{r(c)}.across() is {r(c)}", f"{r(a)} in {r(a + '_held')}", f"getattr({r(b)}.other, 'word', 'none')",
            )
        )  # fmt: skip


@recipe(1)
def not_a_number(w: Writer) -> None:
    """A NaN in several places, where only identity makes it equal."""
    nan = w.name("NAN")
    w.define(
        f"{nan} = {w.pick('float(chr(110) + chr(97) + chr(110))', 'float(chr(105) + chr(110) + chr(102)) * 0')}",
        f"{nan}_a, {nan}_b = ({nan}, 1), ({nan}, 1)",
        f"class {nan}_C:\n    held = ({nan},)\n    plain: float = {nan}",
        f"def {nan}_f(x: object = {nan}, *, y: object = ({nan},)) -> object:\n    return (x,) == y",
    )
    r = w.ref
    if w.maybe(0.3):
        w.change(
            w.pick(f"setattr({r(nan + '_C')}, 'plain', {r(nan)})", f"setattr({r(nan + '_f')}, 'tag', ({r(nan)},))")
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{r(nan + '_a')} == {r(nan + '_b')}", f"{r(nan)} in {r(nan + '_a')}", f"{r(nan + '_f')}()", f"{r(nan + '_C')}.held == ({r(nan)},)", f"{r(nan + '_C')}.plain in {r(nan + '_C')}.held",
                f"getattr({r(nan + '_f')}, 'tag', None) == {r(nan + '_C')}.held",
            )
        )  # fmt: skip


@recipe(2)
def library_calls(w: Writer) -> None:
    """Methods that only the standard library calls, whose helpers nothing else names."""
    name, helper, const = w.name("L"), w.name("help"), w.name("MARK")
    w.define(f"{const}: str = {w.value('str')}", f"def {helper}(x: object) -> str:\n    return f'{{x}}{{{const}}}'")
    text, use = w.rng.choice(
        [
            (f"class {name}(collections.UserDict[str, str]):\n    def __missing__(self, key: str) -> str:\n        return {helper}(key)", "{}()['k']"),
            (f"class {name}(dict[str, str]):\n    def __missing__(self, key: str) -> str:\n        return {helper}(key)", "{}()['k']"),
            (f"class {name}(Mapping[str, str]):\n    def __getitem__(self, key: str) -> str:\n        return {helper}(key)\n    def __iter__(self) -> Iterator[str]:\n        return iter(({helper}(1),))\n    def __len__(self) -> int:\n        return len({helper}(1))", "sorted({}().items())"),
            (f"class {name}(Sequence[str]):\n    def __getitem__(self, n: Any) -> Any:\n        return {helper}(n) if n < 2 else 1 // 0\n    def __len__(self) -> int:\n        return 2", "list({}()[:1] if False else [{}()[0], {}().index({}()[1])])"),
            (f"class {name}(contextlib.AbstractContextManager[str]):\n    def __exit__(self, *a: object) -> None:\n        pass\n    def __enter__(self) -> str:\n        return {helper}('in')", "(lambda s: s.enter_context({}()))(contextlib.ExitStack())"),
            (f"class {name}(enum.Enum):\n    A = 1\n    @classmethod\n    def _missing_(cls, value: object) -> Any:\n        return cls.A if {helper}(value) else None", "{}(77)"),
            (f"class {name}(str):\n    def __format__(self, spec: str) -> str:\n        return {helper}(spec)\n    __slots__ = ()", "'{{:>4}}'.format({}('q'))"),
            (f"class {name}:\n    def __init__(self) -> None:\n        self.n = 1\n    def __copy__(self) -> Any:\n        return {helper}('copy')", "__import__('copy').copy({}())"),
            (f"class {name}:\n    n: int = 1\n    def __lt__(self, other: Any) -> bool:\n        return bool({helper}(1))", "len(sorted([{}(), {}()]))"),
            (f"class {name}:\n    def __call__(self, match: Any) -> str:\n        return {helper}(match.group())", "re.sub('a', {}(), 'bab')"),
            (f"class {name}:\n    def __index__(self) -> int:\n        return len({helper}(1)) % 3\n    def __fspath__(self) -> str:\n        return {helper}(2)", "([1, 2, 3][{}()], __import__('os').fspath({}()))"),
            (f"class {name}:\n    def __mro_entries__(self, bases: Any) -> Any:\n        return (str,) if {helper}(1) else ()", "types.new_class('Made', ({}(),)).__mro__[1].__name__"),
        ]
    )  # fmt: skip
    w.define(text)
    if w.maybe(0.4):
        w.change_global(const, "str")
    if w.maybe(0.3):
        w.change(f"setattr({w.ref(name)}, 'later', {w.ref(helper)})")
    w.read(use.replace("{}", w.ref(name)).replace("{{", "{").replace("}}", "}"))
    if w.maybe(0.3):
        w.read(f"hasattr({w.ref(name)}, 'later')")


@recipe(2)
def flags(w: Writer) -> None:
    """Combinations of flags, members that a method makes, and what they hold."""
    name = w.name("Flag")
    w.define(
        f"class {name}(enum.{w.pick('Flag', 'IntFlag')}{w.pick('', ', boundary=enum.KEEP', ', boundary=enum.CONFORM')}):\n    R = 1\n    W = 2\n    X = 4\n    def word(self) -> str:\n        return str(self.value)",
        f"{name}_rw = {name}.R | {name}.W",
        f"def {name}_f(x: Any = {name}_rw) -> Any:\n    return x",
    )
    r = w.ref
    if w.maybe(0.4):
        w.change(
            w.pick(
                f"setattr({r(name)}.R | {r(name)}.X, 'note', 1)",
                f"setattr({r(name + '_rw')}, 'note', 1)",
                f"setattr({r(name)}.R, 'note', 1)",
                f"{r(name)}(7)",
            )
        )
    for _ in range(2):
        w.read(
            w.pick(
                f"{r(name + '_f')}() is ({r(name)}.R | {r(name)}.W)", f"getattr({r(name + '_rw')}, 'note', 'none')", f"{r(name)}.R in {r(name + '_f')}()", f"{r(name + '_rw')}.word()", f"[m.name for m in {r(name + '_rw')}]",
                f"getattr({r(name)}.R | {r(name)}.X, 'note', 'none')", f"~{r(name)}.R", f"{r(name)}(3) is {r(name + '_rw')}", f"repr({r(name)}(6))", f"len({r(name)}._value2member_map_) > 2",
            )
        )  # fmt: skip


@recipe(2)
def order(w: Writer) -> None:
    """The order in which names stand in modules, classes, instances and functions."""
    name, tag = w.name("Ord"), w.name("cmd_")
    w.define(
        f"@dataclass(frozen=True)\nclass {name}:\n    zz: int = 1\n    aa: int = 2\n    def mm(self) -> int:\n        return 3\n    bb: ClassVar[int] = 4",
        f"{tag}z = 1",
        f"def {tag}a() -> int:\n    return 2",
        f"{tag}m = 3",
        f"{name}_one = {name}()",
    )
    r = w.ref
    w.change(
        w.pick(
            f"setattr({r(name)}, 'added', 5)",
            f"delattr({r(name)}, 'bb')",
            f"object.__setattr__({r(name + '_one')}, 'cc', 1)",
            f"setattr({r(tag + 'a')}, 'zz', 1)\nsetattr({r(tag + 'a')}, 'aa', 2)",
            f"{r(name)}.bb = {r(name)}.__dict__['bb']",
        )
    )
    reads = [
        f"[k for k in vars({r(name)}) if not k.startswith('_')]",
        f"list(vars({r(name + '_one')}))",
        f"list(vars({r(tag + 'a')}))",
        f"list({r(name)}.__annotations__)",
    ]
    if w.is_foreign:
        reads.append(f"[k for k in vars(o) if k.startswith({tag!r})]")
    elif not w.is_local:
        reads.append(f"[k for k in globals() if k.startswith({tag!r})]")
    for _ in range(2):
        w.read(w.rng.choice(reads))
