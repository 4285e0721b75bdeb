"""From a code object or a class to its exact piece of source text, and from there to code that another Python can compile."""

from __future__ import annotations
import __future__

import ast
import dis
import linecache
import sys
import types
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from capsend.guest.compiling import compile_source, requalified

if TYPE_CHECKING:
    from collections.abc import Iterator

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_TYPE_STATEMENT: Final[Any] = getattr(ast, "TypeAlias", ())  # from Python 3.12 on
_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_FUTURES: Final = sum(getattr(__future__, name).compiler_flag for name in ("annotations",))
_IMPORT_AGAIN: Final = "import it again, or restart the program"
_WRITE: Final = "put it into a file"
_REWRITTEN: Final = "@py"
_VARIANTS: Final = {"LOAD_METHOD": "LOAD_ATTR"}
_INCIDENTAL: Final = frozenset({"PUSH_NULL", "PRECALL", "NOP", "EXTENDED_ARG"})


class SourceError(Exception):
    """The source of a function or class is not to be had, or is not the one it was made from.

    Attributes:
        verdict: why.
        cure: what to do.
    """

    def __init__(self, verdict: str, cure: str) -> None:
        super().__init__(verdict)
        self.verdict = verdict
        self.cure = cure


@attrs.frozen
class Source:
    """One function, lambda or class, as text.

    Attributes:
        kind: "def", "lambda" or "class".
        name: the name in its statement; "<lambda>" for a lambda.
        text: its text, from its first line's first character on; a class with its decorators, a function without.
        file: the file it stands in, as its code object names it.
        line: the line in that file where `text` begins, 1-based.
        indent: the white space (for a lambda: any text, as white space) in front of it on that line.
        enclosing: the innermost class whose body it stands in, which decides how private names are mangled; else "".
        free: the names it takes from enclosing functions.
        flags: the future statements of its module, as compiler flags.
        node: its syntax tree, with positions in the file.
    """

    kind: str
    name: str
    text: str
    file: str
    line: int
    indent: str
    enclosing: str
    free: tuple[str, ...]
    flags: int
    node: FunctionNode | ast.ClassDef = attrs.field(eq=False, repr=False)

    def portable(self) -> list[Any]:
        """Return what `compile_source` takes, as JSON-able data."""
        return [
            self.kind,
            self.name,
            self.text,
            self.file,
            self.line,
            self.indent,
            self.enclosing,
            list(self.free),
            self.flags,
            sys.flags.optimize,
        ]

    def compile(self) -> types.CodeType:
        """Compile it here, just as the process will; no decorator and no default is evaluated."""
        return compile_source(*self.portable())


@attrs.frozen
class _File:
    """A parsed file: its lines and every function, lambda and class in it with the class that encloses it."""

    lines: tuple[str, ...]
    functions: dict[tuple[str, int], tuple[FunctionNode, str]]
    lambdas: tuple[tuple[ast.Lambda, str], ...]
    classes: dict[str, list[ast.ClassDef]]
    aliases: dict[str, Any]


def locate_function(code: types.CodeType, module_globals: dict[str, Any]) -> Source:
    """Find the text that a code object was compiled from.

    Raises:
        SourceError: there is no source (it came from `exec`, `eval` or a deleted file), or the file has changed since.
    """
    file = _file(code.co_filename, module_globals)
    found = file.functions.get((code.co_name, code.co_firstlineno))
    candidates = _lambdas(code, file) if code.co_name == "<lambda>" else [found] if found is not None else []
    error = _changed(code.co_name, code.co_filename)
    for node, enclosing in candidates:
        source = _cut(
            node, file, code.co_filename, enclosing=enclosing, free=code.co_freevars, flags=code.co_flags & _FUTURES
        )
        try:
            _verify(source, code)
        except SourceError as differs:
            error = differs
        else:
            return source
    raise error


def locate_class(cls: type) -> Source:
    """Find the text of a class statement at module level, or nested in classes only.

    Raises:
        SourceError: there is no source, or no such class statement in it.
    """
    module = sys.modules.get(cls.__module__)
    files = [_method_file(cls) or getattr(module, "__file__", None), _cell_file(cls.__name__)]
    filenames = [name for name in files if name is not None]
    if module is None or not filenames:
        raise SourceError(
            f"class {cls.__qualname__} has no source: its module {cls.__module__} was not loaded from a file", _WRITE
        )
    for filename in filenames:
        file = _file(filename, vars(module))
        nodes = file.classes.get(cls.__qualname__, [])
        if nodes:
            break
    else:
        filename = filenames[0]
        raise SourceError(
            f"{filename} has no class statement for {cls.__qualname__}: a class made by a call, such as type() or make_dataclass(), "
            "has no source",
            "write it as a class statement, or restart the program if the file has changed since it was imported",
        )
    node = next((n for n in nodes if _contains_methods(n, cls)), None) or max(
        nodes, key=lambda n: (_agreement(n, cls), n.lineno)
    )
    flags = next((value.compiler_flag for value in vars(module).values() if value is __future__.annotations), 0)
    return _cut(node, file, filename, enclosing="", free=(), flags=flags)


def locate_alias(name: str, module: types.ModuleType) -> Source:
    """Find the text of a `type` statement at module level."""
    filename = getattr(module, "__file__", None) or _cell_file(name, "type")
    node = None if filename is None else _file(filename, vars(module)).aliases.get(name)
    if filename is None or node is None:
        raise SourceError(f"{module.__name__} has no type statement for {name}", "write it as one, at module level")
    return _cut(node, _file(filename, vars(module)), filename, enclosing="", free=(), flags=0)


def _method_file(cls: type) -> str | None:
    """The methods of a class know its file, also where the module has none."""
    for value in vars(cls).values():
        function = getattr(value, "__func__", getattr(value, "fget", value))
        own = (
            isinstance(function, types.FunctionType)
            and function.__qualname__ == f"{cls.__qualname__}.{function.__name__}"
        )
        if own and function.__globals__.get("__name__") == cls.__module__ and not is_generated(function.__code__):
            return str(function.__code__.co_filename)
    return None


def is_generated(code: types.CodeType) -> bool:
    """Tell whether dataclasses or attrs made a method by `exec`, under a file name of their own."""
    return code.co_filename == "<string>" or code.co_filename.startswith("<attrs generated")


def _cell_file(name: str, keyword: str = "class") -> str | None:
    """Find a class without methods in a notebook or doctest: the newest cell that defines it."""
    for filename in reversed(list(linecache.cache)):
        if filename.startswith("<") and f"{keyword} {name}" in "".join(linecache.getlines(filename)):
            return filename
    # doctest shows linecache the examples of the test that runs, without putting them into its cache.
    test = getattr(getattr(linecache.getlines, "__self__", None), "test", None)
    for number, example in reversed(list(enumerate(getattr(test, "examples", ())))):
        if f"{keyword} {name}" in example.source:
            return f"<doctest {getattr(test, 'name', '')}[{number}]>"
    return None


def _contains_methods(node: ast.ClassDef, cls: type) -> bool:
    first = cls.__dict__.get("__firstlineno__")
    begin = node.decorator_list[0].lineno if node.decorator_list else node.lineno
    if first is not None:
        return bool(first == begin)
    lines = [
        f.__code__.co_firstlineno
        for f in vars(cls).values()
        if isinstance(f, types.FunctionType) and f.__module__ == cls.__module__
    ]
    return any(begin <= line <= (node.end_lineno or begin) for line in lines)


def _agreement(node: ast.ClassDef, cls: type) -> int:
    """Of several statements for one name without methods to tell them apart, the one was executed whose names the class has."""
    stored = {child.id for child in ast.walk(node) if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)}
    present = {*vars(cls), *cls.__dict__.get("__annotations__", ())}  # noqa: RUF063 - that would evaluate them
    bases = [ast.unparse(base) for base in node.bases] == [
        base.__qualname__ for base in cls.__bases__ if base is not object
    ]
    return int(bases) - len(stored ^ {name for name in present if not name.startswith("__")})


def _file(filename: str, module_globals: dict[str, Any]) -> _File:
    if not filename.startswith("<"):
        linecache.checkcache(filename)
    lines = linecache.getlines(filename, module_globals)
    if not lines:
        raise _without_source(filename)
    try:
        return _parse(filename, tuple(lines))
    except SyntaxError as error:
        raise SourceError(
            f"{filename} cannot be parsed any more ({error.msg}, line {error.lineno}): it has changed since it was imported",
            _IMPORT_AGAIN,
        ) from None


@lru_cache(maxsize=256)
def _parse(filename: str, lines: tuple[str, ...]) -> _File:
    functions: dict[tuple[str, int], tuple[FunctionNode, str]] = {}
    lambdas: list[tuple[ast.Lambda, str]] = []
    classes: dict[str, list[ast.ClassDef]] = {}
    aliases: dict[str, Any] = {}
    for node, enclosing, path in _definitions(ast.parse("".join(lines), filename)):
        if isinstance(node, ast.Lambda):
            lambdas.append((node, enclosing))
        elif isinstance(node, ast.ClassDef):
            classes.setdefault(path, []).append(node)
        elif isinstance(node, _TYPE_STATEMENT):
            aliases[path] = node
        else:
            begin = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            functions[node.name, begin] = (node, enclosing)
    return _File(lines=lines, functions=functions, lambdas=tuple(lambdas), classes=classes, aliases=aliases)


def _definitions(tree: ast.AST) -> Iterator[tuple[FunctionNode | ast.ClassDef, str, str]]:
    """Yield every definition with its innermost enclosing class and its qualified name."""
    stack: list[tuple[ast.AST, str, str]] = [(tree, "", "")]
    while stack:
        parent, enclosing, prefix = stack.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef):
                yield node, enclosing, prefix + node.name
                stack.append((node, node.name, f"{prefix}{node.name}."))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                name = getattr(node, "name", "<lambda>")
                yield node, enclosing, prefix + name
                stack.append((node, enclosing, f"{prefix}{name}.<locals>."))
            elif isinstance(node, _TYPE_STATEMENT):
                yield node, enclosing, prefix + node.name.id
            else:
                stack.append((node, enclosing, prefix))


def _lambdas(code: types.CodeType, file: _File) -> list[tuple[FunctionNode, str]]:
    """Return the lambdas that a code object may have been compiled from; where there are several, any that compiles to the same will do."""
    spans = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if line is not None
        and end_line is not None
        and column is not None
        and end_column is not None
        and (column or end_column)
    ]
    if not spans:
        # Python 3.12 gives no columns to a lambda that returns a constant, and `-X no_debug_ranges` none at all.
        return [found for found in file.lambdas if found[0].lineno == code.co_firstlineno]
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    best: tuple[FunctionNode, str] | None = None
    start = (0, 0)
    for node, enclosing in file.lambdas:
        # The positions of a lambda's code lie in its body; the innermost lambda around them is the one.
        body = node.body
        begin, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
        if start <= begin <= first and last <= end:
            best, start = (node, enclosing), begin
    return [best] if best is not None else []


def _cut(
    node: FunctionNode | ast.ClassDef, file: _File, filename: str, *, enclosing: str, free: tuple[str, ...], flags: int
) -> Source:
    first, column = node.lineno, node.col_offset
    if isinstance(node, ast.ClassDef) and node.decorator_list:
        first = node.decorator_list[0].lineno
    end_line, end_column = node.end_lineno or first, node.end_col_offset or 0
    lines = [line.encode() for line in file.lines[first - 1 : end_line]]
    lines[-1] = lines[-1][:end_column]
    before, lines[0] = lines[0][:column], lines[0][column:]
    kind = "lambda" if isinstance(node, ast.Lambda) else "def" if isinstance(node, _DEFINITIONS) else "class"
    # A form feed begins the column count anew. Columns survive when what stood in front of a lambda is replaced by as many bytes of white space.
    indent = " " * column if kind == "lambda" else before.decode().rpartition("\f")[2]
    return Source(
        kind=kind,
        name=node.name.id if isinstance(node, _TYPE_STATEMENT) else getattr(node, "name", "<lambda>"),
        text=b"".join(lines).decode(),
        file=filename,
        line=first,
        indent=indent,
        enclosing=enclosing,
        free=free,
        flags=flags,
        node=node,
    )


def _verify(source: Source, code: types.CodeType) -> None:
    """The file may have changed since it was imported: what is about to be sent must compile to what runs here."""
    try:
        compiled = requalified(source.compile(), code.co_qualname)
    except SyntaxError as error:
        raise SourceError(
            f"{source.name} in {source.file}, line {source.line}, cannot be compiled by itself: {error.msg}",
            "write it in a simpler form, as a def at module level",
        ) from None
    if not _same(compiled, code):
        raise _changed(source.name, source.file)


def _same(ours: types.CodeType, theirs: types.CodeType) -> bool:
    arguments = ours.co_argcount + ours.co_kwonlyargcount
    if (ours.co_name, ours.co_varnames[:arguments]) != (theirs.co_name, theirs.co_varnames[:arguments]):
        return False
    if any(name.startswith(_REWRITTEN) for name in (*theirs.co_names, *theirs.co_varnames)):
        return True  # pytest rewrote its asserts: the positions are all that can be compared
    if ours.co_names != theirs.co_names:
        return _rewritten_inside(theirs)
    if ours.co_code != theirs.co_code and _operations(ours) != _operations(theirs):
        return _rewritten_inside(theirs)
    return _same_constants(ours, theirs) or _rewritten_inside(theirs)


def _same_constants(ours: types.CodeType, theirs: types.CodeType) -> bool:
    mine, yours = list(ours.co_consts), list(theirs.co_consts)
    if "__firstlineno__" in theirs.co_names:
        # From Python 3.13 on a class knows its line, which a part of the file compiled by itself does not.
        my_numbers, your_numbers = ({c for c in consts if type(c) is int} for consts in (mine, yours))
        if len(my_numbers - your_numbers) > 1 or not your_numbers - my_numbers <= {theirs.co_firstlineno}:
            return False
        mine, yours = ([c for c in consts if type(c) is not int] for consts in (mine, yours))
    return len(mine) == len(yours) and all(map(_same_constant, mine, yours))


def _operations(code: types.CodeType) -> list[str]:
    """Return the operations of a code object, as far as they say what it does.

    A compiler that sees `import threading` in the same file calls `threading.Lock()` another way.
    """
    return [_VARIANTS.get(i.opname, i.opname) for i in dis.get_instructions(code) if i.opname not in _INCIDENTAL]


def _same_constant(ours: object, theirs: object) -> bool:
    if isinstance(ours, types.CodeType) and isinstance(theirs, types.CodeType):
        return _same(ours, theirs)
    return type(ours) is type(theirs) and repr(ours) == repr(theirs)


def _rewritten_inside(code: types.CodeType) -> bool:
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return any(
        name.startswith(_REWRITTEN) for inner in nested for name in (*inner.co_names, *inner.co_varnames)
    ) or any(map(_rewritten_inside, nested))


def _without_source(filename: str) -> SourceError:
    return SourceError(
        f"{filename} has no source text here: code made by exec() or eval(), typed after -c, or whose file is gone "
        "cannot be sent",
        _WRITE,
    )


def _changed(what: str, filename: str) -> SourceError:
    if filename == "<string>":
        # No file, so it cannot have changed: newer Pythons keep what stood after -c under the name that exec() uses too.
        return _without_source(filename)
    return SourceError(
        f"{what} is not where it was in {filename}: the file has changed since it was imported", _IMPORT_AGAIN
    )
