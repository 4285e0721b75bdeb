"""The examination of a program: placeholders permit inspection, and an error of user code that inspection runs becomes a refusal."""

from __future__ import annotations

import sysconfig
import types
from pathlib import Path
from typing import Final

import capsend_traits

from capsend.codec.instances import qualname_of
from capsend.exceptions import CapsendError, CaptureError
from capsend.source.modules import shown_name

EXAMINING: Final[list[object]] = []
"""Not empty during an examination of a program: then placeholders permit inspection."""
_OWN: Final = tuple(f"{Path(str(file)).parents[up]}/" for file, up in ((__file__, 1), (capsend_traits.__file__, 0)))
_LIBRARY: Final = tuple(filter(None, map(sysconfig.get_path, ("stdlib", "platstdlib"))))


class examining:  # noqa: N801 - it is used like a function
    """Permit the inspection of placeholders in a `with` block, for a walk inside a process."""

    __slots__ = ()

    def __enter__(self) -> None:
        EXAMINING.append(None)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        EXAMINING.pop()


class blaming(examining):  # noqa: N801 - it is used like a function
    """Examine, and refuse a callable whose examination runs user code that fails, such as a `__getattribute__` that always raises.

    Args:
        function: the callable.

    Raises:
        CaptureError: such code has failed.
    """

    __slots__ = ("_function",)

    def __init__(self, function: object) -> None:
        self._function = function

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        super().__exit__(kind, error, traceback)
        if isinstance(error, Exception) and not isinstance(error, CapsendError):
            self._blame(error)

    def _blame(self, error: Exception) -> None:
        function, culprit = self._function, _foreign(error.__traceback__)
        if culprit is None:
            return
        # A class is not asked for its name: its metaclass may be the code that fails.
        name = shown_name(
            function.__qualname__ if type(function) is types.FunctionType else qualname_of(type(function))
        )
        raise CaptureError(
            f"cannot spawn {name}: looking at a value that it reaches runs {culprit.co_qualname}, "
            f"{culprit.co_filename}:{culprit.co_firstlineno}, which raises {type(error).__name__}.\n\n"
            "    Instead: pass data in the place of that value, as an argument."
        ) from error


def _foreign(traceback: types.TracebackType | None) -> types.CodeType | None:
    """Return the code of the first frame that is neither capsend's nor of the standard library."""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith((*_OWN, "<frozen")) and (
            "site-packages" in code.co_filename or not code.co_filename.startswith(_LIBRARY)
        ):
            return code
        traceback = traceback.tb_next
    return None
