"""From a code object or class to its exact piece of source text, in a form that another Python can compile."""

from __future__ import annotations
import __future__

import ast
import dis
import sys
import types
from typing import Any, Final

import attrs

from capsend.source.compiling import compile_source, requalified
from capsend.source.linecached import IMPORT_AGAIN
from capsend.source.modules import loaded
from capsend.source.parsed import DEFINITIONS, TYPE_STATEMENT, FunctionNode, ParsedText, SourceError, without_source
from capsend.source.texts import cell_files, texts_of

__all__ = ["Source", "SourceError", "is_generated", "locate_alias", "locate_class", "locate_function"]

_FUTURES: Final = sum(getattr(__future__, name).compiler_flag for name in ("annotations",))
_WRITE: Final = "put it into a file"
_REWRITTEN: Final = "@py"
_VARIANTS: Final = {"LOAD_METHOD": "LOAD_ATTR"}
_INCIDENTAL: Final = frozenset({"PUSH_NULL", "PRECALL", "NOP", "EXTENDED_ARG"})


@attrs.frozen
class Source:
    """One function, lambda or class, as text.

    Attributes:
        kind: "def", "lambda" or "class".
        name: the name in its statement; "<lambda>" for a lambda.
        text: its text, beginning with the first character of its first line; a class with its decorators, a function
            without.
        file: its file, as in its code object.
        line: the line of that file at which `text` begins, 1-based.
        indent: the white space in front of it on that line (for a lambda: any text, replaced by white space).
        enclosing: the innermost class that contains it, which decides the mangling of private names; else "".
        free: the names that it uses from enclosing functions.
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
        """Return the arguments of `compile_source`, as JSON-able data."""
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
        """Compile the text on the host exactly as the guest will; decorators and defaults are not evaluated."""
        return compile_source(*self.portable())


def locate_function(code: types.CodeType, module_globals: dict[str, Any]) -> Source:
    """Return the source from which a code object was compiled.

    Raises:
        SourceError: the code has no source (it came from `exec`, `eval` or a deleted file), or its file has changed
            since.
    """
    error = _changed(code.co_name, code.co_filename)
    for text in texts_of(code.co_filename, module_globals, line=code.co_firstlineno):
        found = text.functions.get((code.co_name, code.co_firstlineno))
        candidates = _lambdas(code, text) if code.co_name == "<lambda>" else [found] if found is not None else []
        for node, enclosing in candidates:
            source = _cut(
                node, text, code.co_filename, enclosing=enclosing, free=code.co_freevars, flags=code.co_flags & _FUTURES
            )
            try:
                _verify(source, code)
            except SourceError as differs:
                error = differs
            else:
                return source
    raise error


def locate_class(cls: type) -> Source:
    """Return the source of a class statement at module level, or nested only in classes.

    Raises:
        SourceError: the class has no source, or the source has no such class statement.
    """
    module = loaded(cls.__module__)
    own = _method_file(cls) or getattr(module, "__file__", None)
    cells = cell_files(cls.__name__)
    if module is None or (own is None and not cells):
        raise SourceError(
            f"class {cls.__qualname__} has no source: its module {cls.__module__} was not loaded from a file", _WRITE
        )
    found = _statements(cls, [own] if own is not None else [], module) or _statements(cls, cells, module)
    if not found:
        raise SourceError(
            f"{own or cells[0]} has no class statement for {cls.__qualname__}: a class made by a call, such as type() or make_dataclass(), "
            "has no source",
            "write it as a class statement, or restart the program if the file has changed since it was imported",
        )
    # The last of the statements that agree best: the lowest in a file, the newest of a notebook's cells.
    node, file, filename = max(
        reversed(found), key=lambda each: (_contains_methods(each[0], cls), _agreement(each[0], cls))
    )
    flags = next((value.compiler_flag for value in vars(module).values() if value is __future__.annotations), 0)
    return _cut(node, file, filename, enclosing="", free=(), flags=flags)


def _statements(
    cls: type, filenames: list[str], module: types.ModuleType
) -> list[tuple[ast.ClassDef, ParsedText, str]]:
    """Return the class statements of this name in some files, each with its text and its file."""
    return [
        (node, text, filename)
        for filename in filenames
        for text in texts_of(filename, vars(module))
        for node in sorted(text.classes.get(cls.__qualname__, ()), key=lambda node: node.lineno)
    ]


def locate_alias(name: str, module: types.ModuleType) -> Source:
    """Return the source of a `type` statement at module level."""
    filename = getattr(module, "__file__", None) or next(reversed(cell_files(name, "type")), None)
    found = (
        []
        if filename is None
        else [(t.aliases[name], t) for t in texts_of(filename, vars(module)) if name in t.aliases]
    )
    if filename is None or not found:
        raise SourceError(f"{module.__name__} has no type statement for {name}", "write it as one, at module level")
    node, text = found[0]
    return _cut(node, text, filename, enclosing="", free=(), flags=0)


def _method_file(cls: type) -> str | None:
    """Return the file of a class's methods, which is known even if the module has no file."""
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
    """Return whether a method is generated: by dataclasses or attrs through `exec`, or by the compiler from annotations."""
    made = code.co_filename == "<string>" or code.co_filename.startswith("<attrs generated")
    return made or code.co_name == "__annotate__"  # from Python 3.14 on


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
    """Count the names in a class statement that the class has: of several statements, the one with the most was executed."""
    stored = {child.id for child in ast.walk(node) if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)}
    present = {*vars(cls), *cls.__dict__.get("__annotations__", ())}  # noqa: RUF063 - that would evaluate them
    bases = [ast.unparse(base) for base in node.bases] == [
        base.__qualname__ for base in cls.__bases__ if base is not object
    ]
    return int(bases) - len(stored ^ {name for name in present if not name.startswith("__")})


def _lambdas(code: types.CodeType, file: ParsedText) -> list[tuple[FunctionNode, str]]:
    """Return the lambdas from which a code object may have been compiled; if several compile to the same code, any will do."""
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
        # Python 3.12 gives no columns to a lambda that returns a constant, and `-X no_debug_ranges` gives none to any.
        return [found for found in file.lambdas if found[0].lineno == code.co_firstlineno]
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    best: tuple[FunctionNode, str] | None = None
    start = (0, 0)
    for node, enclosing in file.lambdas:
        # The positions of a lambda's code are within its body; the innermost lambda around them is the right one.
        body = node.body
        begin, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
        if start <= begin <= first and last <= end:
            best, start = (node, enclosing), begin
    return [best] if best is not None else []


def _cut(
    node: FunctionNode | ast.ClassDef,
    file: ParsedText,
    filename: str,
    *,
    enclosing: str,
    free: tuple[str, ...],
    flags: int,
) -> Source:
    first, column = node.lineno, node.col_offset
    if isinstance(node, ast.ClassDef) and node.decorator_list:
        first = node.decorator_list[0].lineno
    end_line, end_column = node.end_lineno or first, node.end_col_offset or 0
    lines = [line.encode() for line in file.lines[first - 1 : end_line]]
    lines[-1] = lines[-1][:end_column]
    before, lines[0] = lines[0][:column], lines[0][column:]
    kind = "lambda" if isinstance(node, ast.Lambda) else "def" if isinstance(node, DEFINITIONS) else "class"
    # A form feed restarts the column count. Columns stay the same when the text in front of a lambda is replaced by the
    # same number of bytes of white space.
    indent = " " * column if kind == "lambda" else before.decode().rpartition("\f")[2]
    return Source(
        kind=kind,
        name=node.name.id if isinstance(node, TYPE_STATEMENT) else getattr(node, "name", "<lambda>"),
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
    """Refuse a source that does not compile to the host's code: its file may have changed since the import."""
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
        return True  # pytest rewrote its asserts: only positions can be compared
    if ours.co_names != theirs.co_names:
        return _rewritten_inside(theirs)
    if ours.co_code != theirs.co_code and _operations(ours) != _operations(theirs):
        return _rewritten_inside(theirs)
    return _same_constants(ours, theirs) or _rewritten_inside(theirs)


def _same_constants(ours: types.CodeType, theirs: types.CodeType) -> bool:
    mine, yours = list(ours.co_consts), list(theirs.co_consts)
    if "__firstlineno__" in theirs.co_names:
        # Since Python 3.13 a class records its line, which is different when a part of the file is compiled separately.
        my_numbers, your_numbers = ({c for c in consts if type(c) is int} for consts in (mine, yours))
        if len(my_numbers - your_numbers) > 1 or not your_numbers - my_numbers <= {theirs.co_firstlineno}:
            return False
        mine, yours = ([c for c in consts if type(c) is not int] for consts in (mine, yours))
    return len(mine) == len(yours) and all(map(_same_constant, mine, yours))


def _operations(code: types.CodeType) -> list[str]:
    """Return the operations of a code object, as far as they show its meaning.

    A compiler that sees `import threading` in the same file calls `threading.Lock()` in another way.
    """
    return [_VARIANTS.get(i.opname, i.opname) for i in dis.get_instructions(code) if i.opname not in _INCIDENTAL]


def _same_constant(ours: object, theirs: object) -> bool:
    if isinstance(ours, types.CodeType) and isinstance(theirs, types.CodeType):
        return _same(ours, theirs)
    return type(ours) is type(theirs) and _text_of(ours) == _text_of(theirs)


def _text_of(constant: object) -> str:
    """Return a constant as text; the order of sets in byte code depends on the hash seed of their compilation."""
    if isinstance(constant, frozenset):
        return f"frozenset({sorted(map(_text_of, constant))})"
    return f"({', '.join(map(_text_of, constant))})" if isinstance(constant, tuple) else repr(constant)


def _rewritten_inside(code: types.CodeType) -> bool:
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return any(
        name.startswith(_REWRITTEN) for inner in nested for name in (*inner.co_names, *inner.co_varnames)
    ) or any(map(_rewritten_inside, nested))


def _changed(what: str, filename: str) -> SourceError:
    if filename == "<string>":
        # No file, so it cannot have changed: newer versions of Python keep the text after -c under a name that exec()
        # uses too.
        return without_source(filename)
    return SourceError(
        f"{what} is not where it was in {filename}: the file has changed since it was imported", IMPORT_AGAIN
    )
