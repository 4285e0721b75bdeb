"""Source text as a callable: `Source`, which `spawn` takes like a function."""

from __future__ import annotations

import hashlib
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from capsend.exceptions import CapsendError, shown_at_caller

if TYPE_CHECKING:
    import os

    from capsend.environment import Environment, Prepared
    from capsend.source_text.type_check import Problem

LONGEST: Final = 4 << 20
"""The most characters of a text."""


def _text(value: Any) -> str:
    """Return a text after checking it.

    A text with an indented first line, taken from within a program, is moved to the left.
    """
    if not isinstance(value, str):
        message = f"the text of a Source must be a str, not {type(value).__name__}. Decode bytes, or write Source.from_file(path)"
        raise TypeError(message)
    if len(value) > LONGEST:
        message = (
            f"the text of a Source can have {LONGEST} characters, and this one has {len(value)}. Pass data as arguments"
        )
        raise ValueError(message)
    first = next((line for line in value.splitlines() if line.strip()), "")
    return textwrap.dedent(value) if first[:1].isspace() else value


def _check_name(_source: object, _field: attrs.Attribute[str], value: Any) -> None:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 200:
        message = (
            f"the name of a Source must be printable text of at most 200 characters, such as 'plugin.py', not {value!r}"
        )
        raise ValueError(message)


@final
@attrs.frozen(repr=False)
class Source:
    r"""Python source text that `spawn` takes like a function: the arguments become its globals, its result is its final expression.

    It runs like a notebook cell: `await` is allowed at its top level, and its `__name__` is `"__main__"`. The text is
    compiled in the guest, never on the host. Instances of its own classes come back as `Record`s.

    Args:
        text: the text; if its first line is indented, the whole text is moved to the left.
        name: the file name in tracebacks; by default made from a digest of the text.

    Raises:
        TypeError: the text is not a str.
        ValueError: the text has more than 4 million characters, or the name has characters that do not print.

    Example:
        >>> import capsend
        >>> source = capsend.Source("total = sum(prices)\ntotal * rate", name="bill.py")
        >>> capsend.spawn(source, prices=[1, 2, 3], rate=2).result()
        12
    """

    text: str = attrs.field(converter=_text)
    name: str = attrs.field(validator=_check_name, kw_only=True)

    @name.default
    def _digest(self) -> str:
        return f"<source {hashlib.sha256(self.text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}>"

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Source:
        """Read a UTF-8 text file; its path becomes the name.

        Raises:
            OSError: the file cannot be read.
            UnicodeDecodeError: the file is not UTF-8.
        """
        return cls(Path(path).read_text(encoding="utf-8"), name=str(path))

    def function(self, name: str) -> SourceFunction:
        r"""Return a function that the text defines: `spawn` runs the text as a module, and then calls the function.

        Whether the function exists is only found out in the process, which ends with `NameError` if it does not.

        Example:
            >>> import capsend
            >>> plugin = capsend.Source("def total(prices, rate=1):\n    return sum(prices) * rate")
            >>> capsend.spawn(plugin.function("total"), [1, 2, 3], rate=2).result()
            12

        Raises:
            ValueError: *name* is not an identifier.
        """
        return SourceFunction(self, name)

    @shown_at_caller
    def check(self, /, **inputs: Any) -> tuple[Problem, ...]:
        """Return the type errors that mypy finds in the text, without running the text.

        mypy runs as a separate program with capsend's plugin; it must be installed.

        Args:
            inputs: the globals of the run: for each a type, a host function, or a value of the type.

        Returns:
            A tuple of `Problem`, in the order of the lines; empty when mypy finds none.

        Raises:
            SyntaxError: the text cannot be compiled.
            CapsendError: mypy is not installed, or failed.

        Example:
            >>> import capsend
            >>> source = capsend.Source("sum(prices) + '!'", name="bill.py")
            >>> for problem in source.check(prices=list[int]):
            ...     print(problem)
            bill.py:1:15: error: Unsupported operand types for + ("int" and "str")  [operator]
        """
        if sys.platform == "wasi":
            raise CapsendError("source text cannot be checked in a process, which has no mypy. Check it on the host")
        from capsend.source_text.type_check import problems

        check_globals(inputs, self.name)
        self.__capsend_check__()
        return problems(self.text, self.name, inputs)

    @shown_at_caller
    def __call__(self, /, **inputs: Any) -> Any:
        """Run the text in a new process, in the default environment, and return its value.

        Args:
            inputs: its globals.

        Raises:
            SyntaxError, TypeError, CapsendError: as for `spawn` and `Process.result`.
        """
        from capsend.spawning import spawn

        return spawn(self, **inputs).result()

    def __capsend_prepare__(self, environment: Environment, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Prepared:
        """Return the call as `spawn` makes it.

        Raises:
            TypeError: the call has positional arguments, or an argument cannot be a global.
            SyntaxError: the text cannot be compiled.
            CapsendError: an argument cannot be sent.
        """
        if args:
            message = f"{self.name} takes keyword arguments only: they are its globals. Write spawn(source, name=value)"
            raise TypeError(message)
        check_globals(kwargs, self.name)
        return _prepared(environment, self, "evaluate", (), kwargs)

    def __capsend_check__(self) -> None:
        """Raise the errors that `spawn` would raise for the text.

        Raises:
            SyntaxError: the text cannot be compiled.
        """
        from capsend.environment import default
        from capsend.source_text.syntax import check_syntax

        check_syntax(self.text, self.name, default().image)

    def __repr__(self) -> str:
        lines = self.text.count("\n") + (not self.text.endswith("\n"))
        return f"<Source {self.name}: {lines} line{'' if lines == 1 else 's'}>"


def check_globals(names: dict[str, Any], source: str) -> None:
    """Refuse globals of a text that would hide Python's special names.

    Raises:
        TypeError: a name is not an identifier, or begins and ends with two underscores.
    """
    for name in names:
        if not name.isidentifier() or (name.startswith("__") and name.endswith("__")):
            message = f"{name!r} cannot be a global of {source}: a global is a name that does not begin and end with two underscores"
            raise TypeError(message)


def _check_function(_function: object, _field: attrs.Attribute[str], value: Any) -> None:
    if not isinstance(value, str) or not value.isidentifier():
        message = f"a function of a Source is named by an identifier, such as 'total', not {value!r}"
        raise ValueError(message)


@final
@attrs.frozen(repr=False)
class SourceFunction:
    """A function that a `Source` defines; made by `Source.function`."""

    source: Source
    name: str = attrs.field(validator=_check_function)

    @shown_at_caller
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function in a new process, in the default environment, and return its value.

        Raises:
            SyntaxError, TypeError, CapsendError: as for `spawn` and `Process.result`.
        """
        from capsend.spawning import spawn

        return spawn(self, *args, **kwargs).result()

    def __capsend_prepare__(self, environment: Environment, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Prepared:
        """Return the call as `spawn` makes it.

        Raises:
            SyntaxError: the text cannot be compiled.
            CapsendError: an argument cannot be sent.
        """
        return _prepared(environment, self.source, "call", (self.name, *args), kwargs)

    def __capsend_check__(self) -> None:
        """Raise the errors that `spawn` would raise for the text."""
        self.source.__capsend_check__()

    def __repr__(self) -> str:
        return f"<SourceFunction {self.name} of {self.source.name}>"


def _prepared(
    environment: Environment, source: Source, entry: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Prepared:
    from capsend.environment import Prepared
    from capsend.source_text.shipment import Entries
    from capsend.source_text.syntax import check_syntax

    environment.check_python()
    check_syntax(source.text, source.name, environment.image)
    name = source.name if entry == "evaluate" else f"{args[0]} of {source.name}"
    entries = Entries(entry, knows=environment.image.knows)
    ahead = (source.text, source.name, *args[: entry == "call"])
    packed = entries.pack(args[entry == "call" :], kwargs, name=name, ahead=ahead)
    return Prepared(environment, entries.shipment(packed, name=name, texts={source.name: source.text}))
