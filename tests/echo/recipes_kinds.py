"""Recipes for kinds of classes: dataclasses, enums, named tuples, attrs, protocols, metaclasses, registries, exceptions."""

from __future__ import annotations

from writer import Writer, recipe


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
        "(frozen=True, match_args=False)",
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
                f"setattr({ref}, '_late', type('Late', ({ref},), {{}}))",
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
