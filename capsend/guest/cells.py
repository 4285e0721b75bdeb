"""Python source text in a guest: evaluated like the cells of a notebook, or run as a module one of whose functions is called.

`capsend.Source` and `capsend.Session` send programs whose entries are functions of this module.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import builtins
import enum
import inspect
import linecache
import pathlib
import signal
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from capsend.codec.instances import BASES, fields_of, plan_of

from . import inbox, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_MAIN: Final = "__main__"
_CODE: Final = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, BaseException)
_FORMS: Final = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
}
"""{MIME type: method}."""

_MOST_KEPT: Final = 500
_MOST_CHARACTERS: Final = 4_000_000
_own: set[str] = set()
"""The names of the modules in which source text was run."""


class Cell:
    """Compiled text: statements, and a final expression whose value is the value of the cell."""

    def __init__(self, text: str, name: str) -> None:
        try:
            tree = ast.parse(text, name)
            last = tree.body[-1] if tree.body else None
            end = ast.Expression(last.value) if isinstance(last, ast.Expr) else None
            if end is not None:
                tree.body.pop()
            self._body = _compiled(tree, name, "exec") if tree.body or end is None else None
            self._end = None if end is None else _compiled(end, name, "eval")
        except SyntaxError as error:
            raise _with_text(error, text) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(
                f"it cannot be compiled: {error or type(error).__name__}", (name, 1, None, None)
            ) from None
        _lines.keep(name, text)

    @property
    def is_async(self) -> bool:
        """True if its top level awaits something."""
        codes = (self._body, self._end)
        return any(code is not None and code.co_flags & inspect.CO_COROUTINE for code in codes)

    def run(self, namespace: dict[str, Any]) -> Any:
        """Execute the text; return its value, or a coroutine for the value if the top level awaits something."""
        if self.is_async:
            return self._run_async(namespace)
        if self._body is not None:
            exec(self._body, namespace)  # noqa: S102 - the purpose of a guest is to run programs
        return None if self._end is None else eval(self._end, namespace)  # noqa: S307 - as above

    async def _run_async(self, namespace: dict[str, Any]) -> Any:
        value = None
        for code in (self._body, self._end):
            value = None if code is None else eval(code, namespace)  # noqa: S307 - as above
            if inspect.iscoroutine(value):
                value = await value
        return value


class _Lines:
    """The texts whose lines appear in tracebacks; only the newest are kept, since a session may run many cells."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._size = 0

    def keep(self, name: str, text: str) -> None:
        """Let tracebacks show the lines of a text."""
        self.drop(name)
        self._sizes[name] = len(text)
        self._size += len(text)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        while len(self._sizes) > 1 and (len(self._sizes) > _MOST_KEPT or self._size > _MOST_CHARACTERS):
            self.drop(next(iter(self._sizes)))

    def drop(self, name: str) -> None:
        """Forget a text, if it is kept."""
        self._size -= self._sizes.pop(name, 0)
        linecache.cache.pop(name, None)


_lines = _Lines()


def _compiled(tree: Any, name: str, mode: str) -> types.CodeType:
    code: types.CodeType = compile(tree, name, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return code


def _with_text(error: SyntaxError, text: str) -> SyntaxError:
    """Give an error its line of source, which the compiler looks for in a file."""
    lines = text.splitlines(keepends=True)
    if error.text is None and error.lineno is not None and 0 < error.lineno <= len(lines):
        error.text = lines[error.lineno - 1]
    return error


def syntax_error(text: str, name: str) -> list[Any] | None:
    """Check the syntax of a text.

    Returns:
        `[class, message, line, column, text, last line, last column]` of the error; None when the text can be compiled.
    """
    try:
        Cell(text, name)
    except SyntaxError as error:
        place = [error.lineno, error.offset, error.text, error.end_lineno, error.end_offset]
        return [type(error).__name__, error.msg, *place]
    finally:
        _lines.drop(name)
    return None


def evaluate(text: str, name: str, /, **inputs: Any) -> Any:
    """Run a text with these globals, and return the value of the expression at its end."""
    cell = Cell(text, name)
    namespace = _module(_MAIN, name)
    namespace.update(inputs)
    return cell.run(namespace)


def call(text: str, name: str, function: str, /, *args: Any, **kwargs: Any) -> Any:
    """Run a text as a module, call a function of it, and return the function's result."""
    cell = Cell(text, name)
    stem = pathlib.PurePath(name).stem
    namespace = _module(stem if stem.isidentifier() else "source_text", name)
    if cell.is_async:
        return _called_later(cell, namespace, function, args, kwargs)
    cell.run(namespace)
    return _function(namespace, function, name)(*args, **kwargs)


async def _called_later(cell: Cell, namespace: dict[str, Any], function: str, args: Any, kwargs: Any) -> Any:
    await cell.run(namespace)
    value = _function(namespace, function, namespace["__file__"])(*args, **kwargs)
    return await value if inspect.iscoroutine(value) else value


def _function(namespace: dict[str, Any], function: str, name: str) -> Any:
    found = namespace.get(function)
    if not callable(found):
        there_are = [key for key, value in namespace.items() if callable(value) and not key.startswith("_")]
        told = f"It defines {', '.join(there_are[:10])}" if there_are else "It defines none"
        raise NameError(f"{name} defines no function {function}. {told}", name=function)
    return found


def _module(name: str, file: str) -> dict[str, Any]:
    """Return the globals of a new module, registered in `sys.modules` unless the name is taken."""
    module = types.ModuleType(name)
    namespace = vars(module)
    namespace.update(__builtins__=builtins, __file__=file)
    program = inbox.program()
    if (name == _MAIN and (program is None or not program.owns(_MAIN))) or name not in sys.modules:
        sys.modules[name] = module
    _own.add(name)
    if program is not None:
        program.stand_in = stand_in
    return namespace


def stand_in(value: Any) -> Any:
    """Return a record for an instance of a class defined by source text; None for all other values."""
    cls = type(value)
    program = inbox.program()
    if cls.__module__ not in _own or isinstance(value, _CODE) or (program is not None and program.made(cls)):
        return None
    record = sys.modules["capsend.shipping.records"].Record
    if isinstance(value, enum.Enum):
        return record(cls.__qualname__, {"name": value._name_, "value": value._value_})
    plan = plan_of(cls)
    if plan.refusal:
        return None
    fields = fields_of(value, plan)
    names = getattr(cls, "_fields", None)
    if plan.base is tuple and type(names) is tuple and len(names) == tuple.__len__(value):
        return record(cls.__qualname__, {**dict(zip(names, tuple.__iter__(value), strict=True)), **fields})
    content = None if plan.base is object else BASES[plan.base].read(value)
    return record(cls.__qualname__, fields, content)


class _Session:
    """The state kept between cells.

    Attributes:
        namespace: the globals of all cells.
        is_interruptible: True while a cell is running, so that an interrupt reaches only the cell.
    """

    def __init__(self, inputs: dict[str, Any]) -> None:
        self.namespace = _module(_MAIN, "<session>")
        self.namespace.update(inputs)
        self.is_interruptible = False
        self._runner: asyncio.Runner | None = None

    def run(self, cell: Cell, show: Callable[[Any], Any] | None = None) -> Any:
        """Run a cell; return its value, or *show* applied to the value."""
        signal.signal(signal.SIGINT, _interrupt)  # an earlier cell may have replaced the handler
        try:
            self.is_interruptible = True
            value = cell.run(self.namespace)
            value = self._awaited(value) if inspect.iscoroutine(value) else value
            return value if show is None else show(value)
        finally:
            self.is_interruptible = False

    def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the session's event loop, where tasks of earlier cells continue meanwhile."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        loop = self._runner.get_loop()
        task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(task)
        except BaseException:
            if not task.done():  # an interrupt arrived while the loop waited
                task.cancel()
                loop.run_until_complete(asyncio.wait([task]))
            raise


_sessions: list[_Session] = []


def open_session(**inputs: Any) -> None:
    """Begin a session with these globals."""
    _sessions[:] = [_Session(inputs)]
    signal.signal(signal.SIGINT, _interrupt)


def resume(entries: int) -> None:
    """Give this session to another host program, which has only the entries: instances of all other classes become records from now on.

    Args:
        entries: the number of entities that the other program has.
    """
    program = inbox.program()
    assert program is not None
    _own.update(program.forget(entries))
    program.stand_in = stand_in


def _interrupt(_number: int, _frame: Any) -> None:
    if _sessions and _sessions[0].is_interruptible and not streams.writing.holds_back():
        raise KeyboardInterrupt


def run_cell(text: str, name: str, /, **inputs: Any) -> Any:
    """Run a text in the session, with more globals, and return the value of the expression at its end."""
    session = _sessions[0]
    cell = Cell(text, name)
    session.namespace.update(inputs)
    return session.run(cell)


def display_cell(text: str, name: str, /, **inputs: Any) -> Any:
    """Run a text like `run_cell`, and return the value as a notebook shows it: `{MIME type: text}`, or None for None."""
    session = _sessions[0]
    cell = Cell(text, name)
    session.namespace.update(inputs)
    return session.run(cell, _display)


def _display(value: Any) -> dict[str, str] | None:
    """Return a value's representations, by the methods that IPython calls."""
    if value is None:
        return None
    forms: dict[str, Any] = {}
    for kind, method in _FORMS.items():
        made = getattr(type(value), method, None)
        if callable(made) and (form := made(value)) is not None:
            forms[kind] = form
    many = getattr(type(value), "_repr_mimebundle_", None)
    if callable(many):
        made = many(value, include=None, exclude=None)
        forms.update(made[0] if isinstance(made, tuple) else made)
    shown = {"text/plain": repr(value)}
    for kind, form in forms.items():
        shown[str(kind)] = base64.b64encode(form).decode() if isinstance(form, bytes) else str(form)
    return shown


def pass_over(*_args: Any, **_kwargs: Any) -> None:
    """Take over the definitions of a call without running it: its caller has gone, but later calls build on the definitions."""


def assign(**values: Any) -> None:
    """Set globals of the session."""
    _sessions[0].namespace.update(values)


def fetch(name: str) -> Any:
    """Return a global of the session."""
    return _sessions[0].namespace[name]


def delete(name: str) -> None:
    """Delete a global of the session."""
    del _sessions[0].namespace[name]


def names() -> list[str]:
    """Return the names of the session's globals that were made by cells or by the host."""
    return [name for name in _sessions[0].namespace if not (name.startswith("__") and name.endswith("__"))]
