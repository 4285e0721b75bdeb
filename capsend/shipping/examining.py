"""The examination of a program: placeholders permit inspection, and an error of user code that inspection runs becomes a refusal."""

from __future__ import annotations

import contextlib
import sysconfig
import types
from pathlib import Path
from typing import TYPE_CHECKING, Final

import capsend_traits

from capsend.codec.instances import qualname_of
from capsend.exceptions import CapsendError, CaptureError
from capsend.source.modules import shown_name

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMINING: Final[list[object]] = []
"""Not empty during an examination of a program: then placeholders permit inspection."""
_OWN: Final = tuple(f"{Path(str(file)).parents[up]}/" for file, up in ((__file__, 1), (capsend_traits.__file__, 0)))
_LIBRARY: Final = tuple(filter(None, map(sysconfig.get_path, ("stdlib", "platstdlib"))))


@contextlib.contextmanager
def examining() -> Iterator[None]:
    """Permit the inspection of placeholders in the block, for a walk inside a process."""
    EXAMINING.append(None)
    try:
        yield
    finally:
        EXAMINING.pop()


@contextlib.contextmanager
def blaming(function: object) -> Iterator[None]:
    """Refuse a callable whose examination runs user code that fails, such as a `__getattribute__` that always raises.

    Args:
        function: the callable.

    Raises:
        CaptureError: such code has failed.
    """
    try:
        yield
    except CapsendError:
        raise
    except Exception as error:
        culprit = _foreign(error.__traceback__)
        if culprit is None:
            raise
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
